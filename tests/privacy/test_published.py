"""Pseudonyms: published data hold no identity, and everything still joins.

The tests run the real stages on a sample lab in which files and tickets carry names of people, too.
They publish with pseudonyms to files and to a real Elasticsearch server, and search every byte for
every identity. If pseudonyms are off, the same search finds identities.
"""

from __future__ import annotations

import csv
import json
import os
import stat
import uuid
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jobs.cli import app as cli
from jobs.inputs.config import load_config
from jobs.pipeline import STAGES, run_stage
from jobs.platform.elasticsearch import connect
from jobs.platform.errors import RunError
from jobs.platform.frames import stored_frame
from jobs.privacy.identities_file import read_identities
from jobs.privacy.masked_tables import stored_id
from jobs.stages import publish
from jobs.trial.lab import make_lab
from models.privacy.pseudonyms import is_pseudonym
from schemas.finding import validate_finding
from schemas.tables.access import ACCESS
from schemas.tables.findings import FINDINGS
from tests.worlds.masked_people import KEY, KEY_VARIABLE, of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from schemas.config import JobConfig

pytest_plugins = ("tests.worlds.elastic_server",)

LAST_DAY = date(2026, 10, 30)
DAYS = [LAST_DAY - timedelta(days=1), LAST_DAY]
LEAST_CHARACTERS = 4
"""Only unit tests search for shorter words, because ordinary words contain them."""
HOMES = """
  - name: homes
    format: mapped
    path: raw/homes/*.csv
    mapping: {time: time, principal: user, action: action, resource: "concat:file://{folder}/{file}",
              source_ip: ip, bytes_out: bytes, action_class: {"*": copy}}
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, sail: SparkSession) -> Iterator[Path]:
    """Two days of a sample lab, run up to findings. Folders and tickets carry names of people."""
    folder = tmp_path_factory.mktemp("privacy") / "lab"
    make_lab(folder, seed=11, people=8, services=3, days=4, end=LAST_DAY)
    rows = directory_of(folder)
    (folder / "raw" / "homes").mkdir()
    with (folder / "raw" / "homes" / "log.csv").open("w") as file:
        file.write("time,user,action,folder,file,ip,bytes\n")
        for row in rows:
            login = row["aliases"].split(";")[-1] if row["kind"] == "human" else row["user_id"]
            local = row["email"].partition("@")[0]
            file.writelines(
                f"{day}T10:0{n}:00Z,{row['email']},get,home-{login},{local}-{n}.bin,198.51.100.7,"
                f"{10**12}\n"
                for day in DAYS
                for n in range(9)
            )
            file.write(f"{LAST_DAY}T11:00:00Z,stranger-{login},get,home-{local},a.bin,,1\n")
    with (folder / "context" / "approvals.csv").open("a") as file:
        people = [row for row in rows if row["kind"] == "human"]
        for row in rows:
            approver = people[row is people[0]]["user_id"]
            file.write(f"T-{row['user_id']},{row['user_id']},file://home-*,,,{approver},")
            file.write(f"copy for {row['display_name']}\n")
    config_path = folder / "config.yml"
    text = config_path.read_text().replace(
        "context: context/", f"{HOMES.strip(chr(10))}\ncontext: context/"
    )
    # The report tells only of the queue, and whoever touches a decoy comes first in the queue.
    decoy = people[0]["aliases"].split(";")[-1]
    config_path.write_text(f'{text}detectors: {{canary: {{assets: ["file://home-{decoy}/*"]}}}}\n')
    config = load_config(config_path)
    for day in DAYS:
        for stage in STAGES:
            if stage != "publish":
                run_stage(sail, config, day, stage)
    before = os.environ.get(KEY_VARIABLE)
    os.environ[KEY_VARIABLE] = KEY.decode()
    yield folder
    os.environ.pop(KEY_VARIABLE) if before is None else os.environ.update({KEY_VARIABLE: before})


def directory_of(lab: Path) -> list[dict[str, str]]:
    with (lab / "context" / "directory.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def config_for(lab: Path, name: str, pseudonymize: bool, **elasticsearch: Any) -> JobConfig:
    config = load_config(lab / "config.yml", lab / f"out-{name}")
    privacy = {"pseudonymize": pseudonymize, "identities": str(lab / f"identities-{name}")}
    return config.model_copy(
        update={
            "privacy": config.privacy.model_copy(update=privacy),
            "elasticsearch": config.elasticsearch.model_copy(update=elasticsearch),
        }
    )


def identities(lab: Path) -> set[str]:
    """All names of people in the directory and in the logs, in lower case."""
    found = set()
    for row in directory_of(lab):
        found |= {row["user_id"], row["email"], *row["aliases"].split(";"), row["display_name"]}
        if row["kind"] == "human":
            found |= {row["email"].partition("@")[0], *row["display_name"].split()}
    config = load_config(lab / "config.yml")
    access = stored_frame(config.storage, ACCESS, LAST_DAY, 1)
    for column in ("credentials", "addresses"):
        found |= {value for values in access[column] for value in values}
    found |= {user for user in access["user_id"] if user.startswith("stranger-")}
    return {value.lower() for value in found if len(value) >= LEAST_CHARACTERS}


def hidden(lab: Path) -> set[str]:
    """Other facts of the directory about people, which must not be published."""
    rows = [row for row in directory_of(lab) if row["kind"] == "human"]
    days = {row["start_date"] for row in rows} - {day.isoformat() for day in DAYS}
    return days | {row["title"] for row in rows}


def leaks(lab: Path, published: dict[str, str]) -> list[str]:
    """Every place that names a person: the place, the name and the text around it."""
    found = []
    values = sorted(identities(lab) | {value.lower() for value in hidden(lab)})
    for place, text in published.items():
        lower = text.lower()
        for value in values:
            at = lower.find(value)
            if at >= 0:
                found.append(f"{place}: {value}: {text[max(0, at - 60) : at + 60]!r}")
    return found


def files_of(config: JobConfig) -> dict[str, str]:
    return {path.name: path.read_text("utf-8") for path in Path(config.output).iterdir()}


@pytest.fixture(scope="module")
def masked(lab: Path, sail: SparkSession) -> JobConfig:
    config = config_for(lab, "masked", True)
    for day in DAYS:
        publish.STAGE.run(sail, config, day)
    return config


def test_files_name_nobody(lab: Path, masked: JobConfig) -> None:
    files = files_of(masked)
    assert sorted(files) == ["findings.ndjson", "report.html"]
    assert leaks(lab, files) == []
    for line in files["findings.ndjson"].splitlines():
        document = json.loads(line)
        assert is_pseudonym(document["user"]["id"])
        del document["exfil"]["day"]
        assert validate_finding(document) == []
    # The report draws people under their pseudonyms.
    assert 'class="trail"' in files["report.html"]
    assert ", a peer" in files["report.html"]
    assert "covers file://home-user-" in files["report.html"]


def test_without_pseudonyms_the_same_search_finds_everybody(lab: Path, sail: SparkSession) -> None:
    config = config_for(lab, "plain", False)
    for day in DAYS:
        publish.STAGE.run(sail, config, day)
    found = "\n".join(leaks(lab, files_of(config)))
    named = [row for row in directory_of(lab) if row["display_name"].lower() in found]
    assert len(named) >= 5
    assert any(value.lower() in found for value in hidden(lab))
    assert not Path(config.privacy.identities).exists()


def test_pseudonyms_are_the_same_on_all_days_and_in_all_runs(
    lab: Path, masked: JobConfig, sail: SparkSession
) -> None:
    documents = [json.loads(line) for line in files_of(masked)["findings.ndjson"].splitlines()]
    table = stored_frame(masked.storage, FINDINGS, LAST_DAY, 1)
    whose = {(str(row.day), row.queue_rank): row.entity for row in table.itertuples()}
    pairs = {
        (whose[d["exfil"]["day"], d["exfil"]["queue_rank"]], d["user"]["id"]) for d in documents
    }
    assert pairs == {(entity, of(entity)) for entity in whose.values()}
    before = files_of(masked)
    lines = read_identities(masked)
    publish.STAGE.run(sail, masked, DAYS[0])
    publish.STAGE.run(sail, masked, DAYS[1])
    assert files_of(masked) == before
    assert read_identities(masked) == lines
    elsewhere = config_for(lab, "again", True)
    for day in DAYS:
        publish.STAGE.run(sail, elsewhere, day)
    assert files_of(elsewhere)["findings.ndjson"] == before["findings.ndjson"]


def test_every_pseudonym_can_be_unmasked(
    lab: Path, masked: JobConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    mapping = {line["pseudonym"]: line["identity"] for line in read_identities(masked)}
    documents = [json.loads(line) for line in files_of(masked)["findings.ndjson"].splitlines()]
    for document in documents:
        for other in document["related"]["user"]:
            assert of(mapping[other]) == other
        assert document["user"]["id"] in mapping
    path = Path(masked.privacy.identities) / "identities.jsonl"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    table = set(stored_frame(masked.storage, FINDINGS, LAST_DAY, 1)["event_id"])
    for document in documents:
        assert document["event"]["id"] not in table
        assert stored_id(masked, document["event"]["id"][:12]) in table
    path = lab / "private.yml"
    path.write_text((lab / "config.yml").read_text() + "privacy: {pseudonymize: true}\n")
    document = documents[0]
    assert cli.main(["explain", document["event"]["id"][:12], "--config", str(path)]) == 0
    assert mapping[document["user"]["id"]] in capsys.readouterr().out


def test_identities_and_pseudonyms_are_not_mixed(
    lab: Path, masked: JobConfig, sail: SparkSession
) -> None:
    plain = masked.model_copy(
        update={"privacy": masked.privacy.model_copy(update={"pseudonymize": False})}
    )
    before = files_of(masked)
    with pytest.raises(RunError, match=r"hold pseudonyms, and privacy\.pseudonymize is off"):
        publish.STAGE.run(sail, plain, LAST_DAY)
    assert files_of(masked) == before


def test_elasticsearch_names_nobody(lab: Path, sail: SparkSession, elasticsearch_url: str) -> None:
    prefixes = {name: f"t{uuid.uuid4().hex[:8]}x" for name in ("masked", "plain")}
    published = {}
    for name, prefix in prefixes.items():
        config = config_for(
            lab, f"es-{name}", name == "masked", url=elasticsearch_url, prefix=prefix
        )
        for day in DAYS:
            publish.STAGE.run(sail, config, day)
        published[name] = documents_of(config)
    private = {f"{prefixes['masked']}-identities"}
    indices = {place.partition("/")[0] for place in published["masked"]}
    assert private < indices
    open_to_all = {
        p: t for p, t in published["masked"].items() if p.partition("/")[0] not in private
    }
    assert leaks(lab, open_to_all) == []
    # There are the same documents with and without pseudonyms. Without pseudonyms the search finds
    # people in each kind of index about people.
    kinds = [
        sorted(place.partition("/")[0].removeprefix(prefixes[name]) for place in documents)
        for name, documents in (("masked", open_to_all), ("plain", published["plain"]))
    ]
    assert kinds[0] == kinds[1]
    named = {
        leak.partition("/")[0].removeprefix(prefixes["plain"])
        for leak in leaks(lab, published["plain"])
    }
    assert {kind for kind in kinds[1] if "health" not in kind} <= named


def documents_of(config: JobConfig) -> dict[str, str]:
    """Every document of the server under the prefix, as ``index/_id`` and its text."""
    from elasticsearch.helpers import scan

    with connect(config.elasticsearch) as client:
        client.indices.refresh(index=f"{config.elasticsearch.prefix}-*")
        return {
            f"{hit['_index']}/{hit['_id']}": json.dumps(
                [hit["_id"], hit["_source"]], ensure_ascii=False
            )
            for hit in scan(client, index=f"{config.elasticsearch.prefix}-*")
        }
