"""Pseudonyms: nobody can be read out of what is published, everything still joins.

The decisive test runs the real stages on a sample lab whose people also gave their names to files
and tickets, publishes with pseudonyms to files and to a real Elasticsearch server, and looks for
every identity in every byte. The same search finds them where pseudonyms are off.
"""

from __future__ import annotations

import csv
import json
import os
import stat
import time
import uuid
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pytest

from jobs.cli import app as cli
from jobs.inputs.config import load_config
from jobs.pipeline import STAGES, run_stage
from jobs.platform.delta_tables import stored_frame
from jobs.platform.documents import install_templates, send
from jobs.platform.elasticsearch import connect, session
from jobs.platform.errors import InputError, RunError
from jobs.privacy.identities_file import append_lines, read_identities
from jobs.privacy.masked_tables import Inputs, stored_id
from jobs.review.unmasking import unmask
from jobs.stages import publish
from jobs.trial.lab import make_lab
from models.privacy.masks import (
    COLUMN_MASKS,
    KEPT_COLUMNS,
    KEPT_FIELDS,
    mask_address,
    mask_finding,
    mask_resource,
    mask_sentence,
    mask_table,
)
from models.privacy.names import known_people
from models.privacy.pseudonyms import (
    Pseudonyms,
    identity_part,
    is_pseudonym,
    pseudonym,
    spelled_pseudonym,
)
from schemas.context import DIRECTORY_COLUMNS
from schemas.elasticsearch.indices import (
    IDENTITIES,
    PRIVATE_INDICES,
    UNMASKINGS,
    Index,
    search_name,
)
from schemas.finding import FIELDS, validate_finding
from schemas.tables import TABLES
from schemas.tables.access import ACCESS
from schemas.tables.findings import FINDINGS
from tests.worlds.sample_findings import make_finding

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from schemas.config import Elasticsearch, JobConfig
    from tests.worlds.elastic_server import SecureServer

pytest_plugins = ("tests.worlds.elastic_server",)

KEY = b"a key for tests, of 32 bytes and more"
KEY_VARIABLE = "EXFILWATCH_PSEUDONYM_KEY"
LAST_DAY = date(2026, 10, 30)
DAYS = [LAST_DAY - timedelta(days=1), LAST_DAY]
LEAST_CHARACTERS = 4
"""Shorter words are looked for in unit tests only: they are within ordinary words."""
HOMES = """
  - name: homes
    format: mapped
    path: raw/homes/*.csv
    mapping: {time: time, principal: user, action: action, resource: "concat:file://{folder}/{file}",
              source_ip: ip, bytes_out: bytes, action_class: {"*": copy}}
"""


def inputs_of(config: JobConfig) -> Inputs:
    return Inputs(config, LAST_DAY, lambda table, last, look_back: None)


def people(**changes: Any) -> pd.DataFrame:
    """A directory of three: two humans, and a service with its owner's address."""
    zara = dict.fromkeys(DIRECTORY_COLUMNS, "") | {
        "user_id": "u1",
        "email": "zara.quillfeather@lab.example",
        "display_name": "Zara Quillfeather",
        "kind": "human",
        "aliases": ("zquill", "arn:aws:iam::111122223333:user/zara.q", "7001"),
    }
    max_ = zara | {
        "user_id": "u2",
        "email": "max.read@lab.example",
        "display_name": "Max Ströhmeyer-Read",
        "aliases": ("read",),
        "manager_id": "u1",
    }
    service = zara | {
        "user_id": "svc-7",
        "kind": "service",
        "display_name": "Nightly data loader",
        "aliases": ("system:serviceaccount:jobs:default",),
    }
    return pd.DataFrame([zara | changes, max_, service])


def known(key: bytes = KEY, **options: Any) -> Pseudonyms:
    return known_people(key, [people()], ["mallory/guest"], ["AKIAEXAMPLE0000000"], **options)


def of(value: str, kind: str = "user") -> str:
    return pseudonym(KEY, value, kind)


def as_(written: str, value: str = "u1", kind: str = "user") -> str:
    return spelled_pseudonym(KEY, (kind, value), written)


# The model


def test_a_pseudonym_is_keyed_and_always_the_same() -> None:
    assert pseudonym(b"k" * 32, "u0017") == "user-NKWY5QHZR6ZJBG6T"
    assert is_pseudonym(of("u1"))
    assert not is_pseudonym("user-7")
    others = {of("u1"), of("u2"), of("u1", "name"), pseudonym(b"other" * 9, "u1")}
    assert len(others) == 4


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s3://home/zara.quillfeather/x", f"s3://home/{as_('zara.quillfeather')}/x"),
        ("github://zquill/fork", f"github://{as_('zquill')}/fork"),
        ("s3://zara_quillfeather-tmp", f"s3://{as_('zara_quillfeather')}-tmp"),
        ("s3://ZaraQuillfeatherBackup", f"s3://{as_('ZaraQuillfeather')}Backup"),
        (
            "s3://x/zara.quillfeather%40lab.example",
            f"s3://x/{as_('zara.quillfeather%40lab.example')}",
        ),
        ("arn:aws:iam::111122223333:user/zara.q", as_("arn:aws:iam::111122223333:user/zara.q")),
        ("s3://x/zara.q/y", f"s3://x/{as_('zara.q')}/y"),
        ("s3://quillfeather-notes", f"s3://{of('quillfeather', 'name')}-notes"),
        ("s3://strohmeyer", f"s3://{of('strohmeyer', 'name')}"),
        ("k8s://prod/default", "k8s://prod/default"),
        ("s3://maximum/zaragoza", "s3://maximum/zaragoza"),
        ("k8s://prod/read", f"k8s://prod/{as_('read', 'u2')}"),
        ("mallory/guest", of("mallory/guest")),
        ("host://10.1.2.3", f"host://{of('10.1.2.3', 'address')}"),
        ("someone@else.example", of("someone@else.example")),
        ("AKIAEXAMPLE0000000", of("AKIAEXAMPLE0000000", "credential")),
        ("orion-7001", "orion-7001"),
    ],
)
def test_names_of_resources(text: str, expected: str) -> None:
    assert mask_resource(known(), text) == expected
    # Masked text holds nobody any more.
    assert mask_resource(known(), expected) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("read 7001 of 9000 objects, no maximum", "read 7001 of 9000 objects, no maximum"),
        ("read k8s://prod/read; also read", f"read k8s://prod/{as_('read', 'u2')}; also read"),
        ("with u1, u2 and 3 more", f"with {of('u1')}, {of('u2')} and 3 more"),
        ("Read by Max", f"{as_('Read', 'u2')} by {as_('Max', 'max', 'name')}"),
        ("for ZARA QUILLFEATHER's thesis", f"for {as_('ZARA QUILLFEATHER')}'s thesis"),
        ("from 10.1.2.3 at 09:00:12.", f"from {of('10.1.2.3', 'address')} at 09:00:12."),
        ("from 2001:DB8:0::1", f"from {as_('2001:DB8:0::1', '2001:db8::1', 'address')}"),
    ],
)
def test_sentences(text: str, expected: str) -> None:
    assert mask_sentence(known(), text) == expected


def test_accents_and_their_spellings_are_one() -> None:
    spelled = ("Max Ströhmeyer-Read", "Max Stro\u0308hmeyer Read", "MAX STROHMEYER READ")
    assert {identity_part(mask_sentence(known(), text)) for text in spelled} == {of("u2")}


def test_what_two_people_share_names_neither() -> None:
    twin = people(user_id="u9", email="z@lab.example", aliases=("zz9",))
    names = known_people(KEY, [people(), twin], [], [])
    shared = mask_resource(names, "s3://zara.quillfeather")
    assert of("u1") not in shared
    assert of("u9") not in shared
    assert "quillfeather" not in shared
    assert mask_resource(names, "s3://zz9") == f"s3://{as_('zz9', 'u9')}"


def test_different_names_stay_different() -> None:
    texts = ["max", "zara", "u1", "u2", "strohmeyer", "zquill", "zara.quillfeather", "ZQuill"]
    assert len({mask_resource(known(), text) for text in texts}) == len(texts)


def test_addresses_keep_their_network() -> None:
    names = known(network_of=lambda address: "vpn/US/64512" if address == "10.1.2.3" else "")
    assert mask_address(names, "10.1.2.3") == f"{of('10.1.2.3', 'address')} (vpn/US/64512)"
    assert mask_address(names, "10.1.2.4") == of("10.1.2.4", "address")
    assert mask_address(names, "cloudformation.amazonaws.com") == "cloudformation.amazonaws.com"


def finding() -> dict[str, Any]:
    document = make_finding("u1", name="Zara Quillfeather", assets=("s3://home/zquill",))
    part = document["exfil"]["contributions"][0]
    part["reason"] = "read 71 % of s3://home/zquill (142 of 200 objects; with u2)"
    document["event"]["reason"] = (
        f"Zara Quillfeather (evals (east)) {part['reason']}; gave notice on 2026-10-01."
    )
    document["user"]["email"] = "zara.quillfeather@lab.example"
    document["related"]["user"] = ["u1", "u2"]
    return document


def test_a_finding_tells_all_but_who() -> None:
    document = finding()
    masked = mask_finding(known(hidden=["team"]), document)
    assert masked["event"]["reason"] == (
        f"{of('u1')} read 71 % of s3://home/{as_('zquill')} (142 of 200 objects; with {of('u2')}); "
        "gave notice on 2026-10-01."
    )
    assert masked["user"] == {"id": of("u1"), "name": of("u1"), "email": None}
    assert masked["related"]["user"] == sorted([of("u1"), of("u2")])
    assert masked["related"]["ip"] == [of("10.1.2.3", "address")]
    assert validate_finding(masked) == []
    same = {"threat", "rule", "@timestamp"}
    assert {key: masked[key] for key in same} == {key: document[key] for key in same}
    assert masked["event"]["id"] != document["event"]["id"]
    again = mask_finding(known(), finding())
    assert again["event"]["id"] == masked["event"]["id"]
    assert "(evals (east))" in again["event"]["reason"]
    other = mask_finding(known(b"another key, also of 32 bytes or more"), document)
    assert other["event"]["id"] != masked["event"]["id"]


def test_a_reason_that_was_cut_off_within_a_name() -> None:
    document = finding()
    text = document["event"]["reason"]
    document["event"]["reason"] = f"{text.removesuffix('.')}; also with zara.quillf…."
    assert "quill" not in json.dumps(mask_finding(known(hidden=["team"]), document)).lower()
    document["event"]["reason"] = "Zara Quillfeather (evals) read 71 % of s3://home/zqu…."
    masked = mask_finding(known(hidden=["team"]), document)["event"]["reason"]
    assert masked == f"{of('u1')} read 71 % of…."


def test_a_field_of_a_later_version_is_no_leak() -> None:
    document = finding()
    document["exfil"]["new"] = {"notes": ["asked zquill"]}
    masked = mask_finding(known(), document)
    assert masked["exfil"]["new"] == {"notes": [f"asked {as_('zquill')}"]}


def test_what_is_kept_is_named_once() -> None:
    """A new column or field is masked unless it is put into the lists of what names nobody."""
    columns = {column.name for table in TABLES for column in table.columns}
    paths = {field.path for field in FIELDS} | {"exfil.day"}
    assert columns >= KEPT_COLUMNS
    assert columns >= set(COLUMN_MASKS)
    assert not KEPT_COLUMNS & set(COLUMN_MASKS)
    assert paths >= KEPT_FIELDS


@pytest.mark.parametrize("kind", [object, "string", pd.ArrowDtype(pa.string())])
def test_tables_of_whatever_types(kind: Any) -> None:
    rows = pd.DataFrame({"user_id": ["u1", "mallory/guest"], "asset_id": ["s3://zquill", "orion"]})
    rows = rows.astype(kind).assign(events=[1, 2], node_id=["u1", "zquill"])
    rows["node_type"] = ["user", "asset"]
    rows["peers"] = pd.Series([["u2", "9"], []], dtype=pd.ArrowDtype(pa.list_(pa.string())))
    masked = mask_table(known(), rows)
    assert masked.to_dict("list") == {
        "user_id": [of("u1"), of("mallory/guest")],
        "asset_id": [f"s3://{as_('zquill')}", "orion"],
        "events": [1, 2],
        "node_id": [of("u1"), as_("zquill")],
        "node_type": ["user", "asset"],
        "peers": [[of("u2"), of("9")], []],
    }
    assert rows["user_id"].tolist() == ["u1", "mallory/guest"]


# Key, mapping file, log


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A job with pseudonyms on."""
    monkeypatch.setenv(KEY_VARIABLE, KEY.decode())
    (tmp_path / "raw").mkdir()
    (tmp_path / "context").mkdir()
    write_directory(tmp_path / "context" / "directory.csv", people().to_dict("records"))
    path = tmp_path / "job.yml"
    path.write_text(
        "sources: [{name: s3, format: aws_cloudtrail, path: raw/*.gz}]\n"
        "privacy: {pseudonymize: true}\n"
    )
    return path


def write_directory(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, DIRECTORY_COLUMNS)
        writer.writeheader()
        writer.writerows(row | {"aliases": ";".join(row["aliases"])} for row in rows)


@pytest.mark.parametrize("key", [None, "", "short"])
def test_a_run_without_a_good_key_does_not_begin(
    key: str | None, job: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if key is None:
        monkeypatch.delenv(KEY_VARIABLE)
    else:
        monkeypatch.setenv(KEY_VARIABLE, key)
    assert cli.main(["run", "--config", str(job), "--day", "2026-10-30"]) == 2
    told = capsys.readouterr().err
    assert KEY_VARIABLE in told
    assert "32 bytes" in told
    assert not (job.parent / "warehouse").exists()
    assert cli.main(["doctor", "--config", str(job)]) == 1
    assert (
        f"missing  pseudonyms: privacy.pseudonymize is on: the environment variable {KEY_VARIABLE}"
        in (capsys.readouterr().out)
    )
    config = load_config(job)
    with pytest.raises(InputError, match="pseudonymize is on"):
        _ = inputs_of(config).names


def test_the_mapping_does_not_lie_where_all_may_read(job: Path) -> None:
    job.write_text(job.read_text() + "output: out/\n")
    text = job.read_text().replace("pseudonymize: true", "pseudonymize: true, identities: out/ids")
    job.write_text(text)
    with pytest.raises(InputError, match=r"job\.yml:2: privacy\.identities: must not lie in"):
        load_config(job)


def test_lines_are_added_and_private(tmp_path: Path) -> None:
    path = tmp_path / "new" / "log.jsonl"
    append_lines(path, [{"a": 1}])
    append_lines(path, [{"a": 2}, {"a": 3}])
    assert path.read_text() == '{"a": 1}\n{"a": 2}\n{"a": 3}\n'
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    path.write_text('{"a": 1}\n{"a": ')  # a run that was killed
    append_lines(path, [{"a": 2}])
    assert path.read_text() == '{"a": 1}\n{"a": \n{"a": 2}\n'
    path.chmod(0o640)
    with pytest.raises(RunError, match="chmod 600"):
        append_lines(path, [{"a": 4}])


def test_unmasking_is_told_once_it_is_logged(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = load_config(job)
    inputs_of(config).context(LAST_DAY)
    before = read_identities(config)
    inputs_of(config).context(LAST_DAY)
    assert read_identities(config) == before
    ask = [
        "unmask",
        as_("zquill"),
        "--config",
        str(job),
        "--by",
        "p.officer",
        "--reason",
        "case 17",
    ]
    assert cli.main(ask) == 0
    assert capsys.readouterr().out == "u1, Zara Quillfeather, zara.quillfeather@lab.example\n"
    log = Path(config.privacy.identities) / "unmaskings.jsonl"
    logged = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["exfil"] for line in logged] == [
        {"pseudonym": of("u1"), "unmask_by": "p.officer", "unmask_reason": "case 17"}
    ]
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    log.chmod(0o644)
    assert cli.main(ask) == 1
    captured = capsys.readouterr()
    assert "Quillfeather" not in captured.out + captured.err
    log.unlink()
    log.mkdir()
    assert cli.main(ask) == 1
    captured = capsys.readouterr()
    assert "Quillfeather" not in captured.out + captured.err


def test_unmasking_without_a_reason_or_of_nobody(job: Path) -> None:
    config = load_config(job)
    with pytest.raises(InputError) as raised:
        unmask(config, "user-AAAAAAAAAAAAAAAA", " ", "")
    assert len(raised.value.problems) == 3
    assert not Path(config.privacy.identities).exists()


# The whole


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, sail: SparkSession) -> Iterator[Path]:
    """Two days of a sample lab up to its findings; people named folders and tickets after them."""
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
        for row in rows:
            file.write(f"T-{row['user_id']},{row['user_id']},file://home-*,,,{rows[0]['user_id']},")
            file.write(f"copy for {row['display_name']}\n")
    config_path = folder / "config.yml"
    text = config_path.read_text().replace(
        "context: context/", f"{HOMES.strip(chr(10))}\ncontext: context/"
    )
    config_path.write_text(text)
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
    """Everything that names somebody in the directory and in the logs, in lower case."""
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
    """What the directory says of people beside, and is not to be published."""
    rows = [row for row in directory_of(lab) if row["kind"] == "human"]
    days = {row["start_date"] for row in rows} - {day.isoformat() for day in DAYS}
    return days | {row["title"] for row in rows}


def leaks(lab: Path, published: dict[str, str]) -> list[str]:
    """Where somebody is named: the place, who, and what stands around."""
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


def test_nobody_is_in_the_files(lab: Path, masked: JobConfig) -> None:
    files = files_of(masked)
    assert sorted(files) == ["findings.ndjson", "report.html"]
    assert leaks(lab, files) == []
    for line in files["findings.ndjson"].splitlines():
        document = json.loads(line)
        assert is_pseudonym(document["user"]["id"])
        del document["exfil"]["day"]
        assert validate_finding(document) == []
    # What the report draws of people is there, under their pseudonyms.
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


def test_pseudonyms_stay_over_days_and_runs(
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


def test_every_pseudonym_leads_back(
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


def test_what_was_published_otherwise_is_not_mixed_in(
    lab: Path, masked: JobConfig, sail: SparkSession
) -> None:
    plain = masked.model_copy(
        update={"privacy": masked.privacy.model_copy(update={"pseudonymize": False})}
    )
    before = files_of(masked)
    with pytest.raises(RunError, match=r"hold pseudonyms, and privacy\.pseudonymize is off"):
        publish.STAGE.run(sail, plain, LAST_DAY)
    assert files_of(masked) == before


def test_nobody_is_in_elasticsearch(lab: Path, sail: SparkSession, elasticsearch_url: str) -> None:
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
    # With and without pseudonyms the same documents are there, and the search finds people in each
    # kind of index that speaks of them.
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


def test_only_the_privacy_officer_reads_who_it_is(
    job: Path, secure_elasticsearch: SecureServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = secure_elasticsearch
    monkeypatch.setenv("EXFILWATCH_ES_PASSWORD", server.password)
    config = load_config(job)
    inputs = inputs_of(config)
    inputs.context(LAST_DAY)

    def settings(user: str) -> Elasticsearch:
        return config.elasticsearch.model_copy(
            update={"url": server.url, "username": user, "ca_certs": server.ca_certs}
        )

    def read(user: str, index: Index) -> list[dict[str, Any]]:
        with session(settings(user), user, "nothing") as client:
            name = search_name(index, config.elasticsearch.prefix)
            found = client.search(index=name, size=100)["hits"]["hits"]
            return [hit["_source"]["exfil"] for hit in found]

    with session(settings("pipeline"), "pipeline", "nothing") as client:
        install_templates(client, config.elasticsearch.prefix, PRIVATE_INDICES)
        first = send(client, config.elasticsearch.prefix, IDENTITIES, inputs.identities())
        again = send(client, config.elasticsearch.prefix, IDENTITIES, inputs.identities())
    assert first.written == again.kept == len(inputs.identities()) > 0
    for user in ("analyst", "investigator", "pipeline"):
        with pytest.raises(RunError, match="403"):
            read(user, IDENTITIES)
        asker = config.model_copy(update={"elasticsearch": settings(user)})
        with pytest.raises(RunError, match="403"):
            unmask(asker, of("u1"), "a.curious", "just so")
    officer = config.model_copy(update={"elasticsearch": settings("privacy_officer")})
    assert unmask(officer, of("u1"), "p.officer", "case 17").startswith("u1, Zara Quillfeather")
    with connect(settings("privacy_officer")) as client:
        # The server makes new documents visible every second.
        for _ in range(50):
            if client.count(index="exfilwatch-unmaskings", ignore_unavailable=True)["count"]:
                break
            time.sleep(0.2)
    assert {"pseudonym": of("u1"), "identity": "u1", "identity_kind": "user"} in read(
        "privacy_officer", IDENTITIES
    )
    assert read("privacy_officer", UNMASKINGS) == [
        {"pseudonym": of("u1"), "unmask_by": "p.officer", "unmask_reason": "case 17"}
    ]


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
