"""Documents that are still being written, or followed by something else: no record goes unseen.

Every variant is a source of one job. Plain files of some size matter, as an engine may part them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schemas.tables.events import EVENTS, REJECTS
from tests.worlds.raw_logs import (
    envelope,
    job_config,
    rows_of,
    run_ingest,
    trail_record,
    write_file,
)

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

UNFINISHED = "the document ends in the middle (still being written?)"
MANY = 400


def documents(first: int, end: int, indent: int | None = None) -> str:
    """A document with records of these numbers."""
    return json.dumps({"Records": [trail_record(n) for n in range(first, end)]}, indent=indent)


def lines(first: int, end: int) -> str:
    return "\n".join(json.dumps(trail_record(n)) for n in range(first, end))


def page(end: int) -> str:
    """A page of an export, as a person would print it."""
    events = [
        {"@timestamp": 1791194400000, "_document_id": f"g{n}", "action": "git.clone"}
        | {"actor": "ana-gh", "org": "lab", "repo": "lab/kernels"}
        for n in range(end)
    ]
    return json.dumps(events, indent=1)


WHOLE, PRETTY = documents(0, MANY), documents(0, MANY, indent=1)
LAST = WHOLE.rindex(', {"eventVersion"')
VARIANTS: dict[str, tuple[str, str, int, int]] = {
    "whole": ("aws_cloudtrail", WHOLE, MANY, 0),
    "pretty": ("aws_cloudtrail", PRETTY, MANY, 0),
    "pretty, cut": ("aws_cloudtrail", PRETTY[:-100], MANY - 1, 1),
    "cut in a record": ("aws_cloudtrail", WHOLE[:-100], MANY - 1, 1),
    "cut behind a comma": ("aws_cloudtrail", WHOLE[: LAST + 1], MANY - 1, 1),
    "cut behind a record": ("aws_cloudtrail", WHOLE[:LAST], MANY - 1, 1),
    "without its last brackets": ("aws_cloudtrail", WHOLE[:-2], MANY, 1),
    "a second one, cut": (
        "aws_cloudtrail",
        f"{documents(0, 10)}\n{documents(10, MANY)[:-100]}",
        MANY - 1,
        1,
    ),
    "a second one, hardly begun": (
        "aws_cloudtrail",
        f'{documents(0, 10)}\n{{"Records":[',
        10,
        1,
    ),
    "followed by records": (
        "aws_cloudtrail",
        f"{documents(0, 10)}\n{lines(10, MANY)}\n",
        MANY,
        0,
    ),
    "behind records, cut": (
        "aws_cloudtrail",
        f"{lines(0, 10)}\n{documents(10, MANY)[:-100]}",
        MANY - 1,
        1,
    ),
    "a page": ("github_audit", page(2000), 2000, 0),
    "a page, cut": ("github_audit", page(2000)[:-50], 1999, 1),
}
"""Format, text, events and rejects of each variant."""


def test_every_record_is_an_event_and_an_end_that_is_missing_a_reject(
    sail: SparkSession, tmp_path: Path
) -> None:
    sources = []
    for number, (name, (format_id, text, _, _)) in enumerate(VARIANTS.items()):
        write_file(tmp_path / f"raw/{number}/a.json", text)
        sources.append({"name": name, "format": format_id, "path": f"raw/{number}/*"})
    config = job_config(tmp_path, sources)
    run_ingest(sail, config)
    found: dict[str, Any] = {name: [0, 0] for name in VARIANTS}
    for row in rows_of(sail, config, EVENTS):
        found[row["source"]][0] += 1
    for row in rows_of(sail, config, REJECTS):
        found[row["source"]][1] += 1
        assert row["reason"] == UNFINISHED, row
    assert found == {name: [events, bad] for name, (_, _, events, bad) in VARIANTS.items()}


def test_a_document_told_twice_is_read_twice(sail: SparkSession, tmp_path: Path) -> None:
    text = envelope(*map(trail_record, range(5)))
    write_file(tmp_path / "raw/a.json", f"{text}\n{text}\n{{}}")
    sums = run_ingest(sail, job_config(tmp_path, [{"path": "raw/*"}]))
    assert (sums["events"], sums["duplicates"], sums["rejects"]) == (5, 5, 1)
