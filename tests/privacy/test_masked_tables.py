"""Published findings: their sentences are made of stored parts, or of the figures alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from jobs.inputs.config import load_config
from jobs.platform.delta_tables import table_path
from jobs.platform.record_tables import append_rows
from jobs.stages.publish.elasticsearch.inputs import read_findings
from models.reasons.parts import Assets, Person
from models.reasons.reason import Reason, Series, dump_reasons
from schemas.finding import validate_finding
from schemas.tables.findings import FINDINGS
from schemas.tables.runs import CONTEXT_FILES
from tests.worlds.masked_people import KEY, KEY_VARIABLE, as_, of, people, write_directory
from tests.worlds.published import inputs_of
from tests.worlds.sample_findings import DAY, make_finding

PARTS = Reason("nobody_completes", asset=Assets(("s3://home/zquill",)))
OWN = Reason("finding", who=Person("u1", "Zara Quillfeather"), told=Series("; also ", (PARTS,)))
STORED = "what an earlier version wrote of Zara Quillfeather"


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(KEY_VARIABLE, KEY.decode())
    (tmp_path / "raw").mkdir()
    (tmp_path / "context").mkdir()
    write_directory(tmp_path / "context" / "directory.csv", people().to_dict("records"))
    return tmp_path


def published(job: Path, pseudonymize: bool, **columns: Any) -> dict[str, Any]:
    """The only finding of a warehouse with further columns, in its published form."""
    document = make_finding("u1", name="Zara Quillfeather", reason=STORED)
    row = {
        "day": DAY,
        "event_id": document["event"]["id"],
        "entity": "u1",
        "window": "1d",
        "risk_score": 60.0,
        "queue_rank": 1,
        "in_budget": True,
        "document": json.dumps(document),
    }
    path = job / "job.yml"
    path.write_text(
        "sources: [{name: s3, format: aws_cloudtrail, path: raw/*.gz}]\n"
        f"privacy: {{pseudonymize: {str(pseudonymize).lower()}}}\n"
    )
    config = load_config(path)
    table = pa.Table.from_pylist([row | columns])
    write_deltalake(table_path(config.storage, FINDINGS), table, partition_by=["day"])
    (found,) = read_findings(inputs_of(config, DAY))
    assert found["exfil"].pop("day") == DAY.isoformat()
    assert validate_finding(found) == []
    return found


def sentences(document: dict[str, Any]) -> list[str]:
    parts = document["exfil"]["contributions"]
    return [document["event"]["reason"], *(part["reason"] for part in parts)]


FIGURES = [
    f"{of('u1')} observed 71 %, expected 4 %; also observed 412 GB.",
    "observed 71 %, expected 4 %",
    "observed 412 GB",
]


@pytest.mark.parametrize(
    "columns",
    [
        {},
        {"reasons": ""},
        {"reasons": '[["reason","gone",{}]]'},
        {"reasons": dump_reasons([OWN, PARTS])},  # one contribution too few
    ],
)
def test_rows_of_another_version_are_published(job: Path, columns: dict[str, Any]) -> None:
    assert sentences(published(job, True, **columns)) == FIGURES


def test_without_pseudonyms_sentences_do_not_change(job: Path) -> None:
    assert sentences(published(job, False))[0] == STORED


@pytest.mark.parametrize("pseudonymize", [True, False])
def test_sentences_are_made_of_their_parts(job: Path, pseudonymize: bool) -> None:
    reasons = dump_reasons([OWN, PARTS, PARTS])
    found = sentences(published(job, pseudonymize, reasons=reasons))
    who = of("u1") if pseudonymize else "Zara Quillfeather"
    login = as_("zquill") if pseudonymize else "zquill"
    said = f"read a part of s3://home/{login}, not complemented by other readers"
    assert found == [f"{who} {said}.", said, said]


def test_people_of_the_kept_directory_are_masked(job: Path) -> None:
    """An old day used a directory with people whom the directory of now no longer lists."""
    directory = job / "context" / "directory.csv"
    row = {"day": DAY, "kind": "directory", "name": directory.name, "hash": "x"}
    append_rows(str(job / "warehouse"), CONTEXT_FILES, [{**row, "content": directory.read_bytes()}])
    others = [each for each in people().to_dict("records") if each["user_id"] != "u1"]
    write_directory(directory, others)
    reasons = dump_reasons([OWN, PARTS, PARTS])
    found = sentences(published(job, True, reasons=reasons))
    assert found[1].startswith(f"read a part of s3://home/{as_('zquill')}, ")
