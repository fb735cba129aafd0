"""Damaged files: every good record becomes an event, every bad one a reject with its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from schemas.tables.events import EVENTS, REJECTS
from tests.worlds.raw_logs import job_config, rows_of, run_ingest
from tests.worlds.troubles import write_troubles

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

TROUBLES = {
    # Name → ids of the events, and the rejects: position and beginning of the reason.
    "cut_small.json.gz": (["1"], [("record 2", "cut off"), ("byte", "gz data end early")]),
    "several_members.json.gz": (["301", "302", "303"], []),
    "text_after_gz.json.gz": (["311"], [("byte", "text after the gz data")]),
    "zeros_after_gz.json.gz": (["321"], []),
    "not_packed.json.gz": (["331", "332"], []),
    "packed.json": (["341", "342"], []),
    "byte_order_mark.json": (["351", "352"], []),
    "marked_envelope.json": (["353"], []),
    "latin1.json": (["361", "362"], [("line 2", "not JSON")]),
    "latin1_envelope.json": (["365"], [("record 2", "not a JSON object but a number")]),
    "empty.json": ([], []),
    "empty.json.gz": ([], []),
    "blank.json": ([], []),
    "no_records.json": ([], []),
    "_hidden.json": (["371"], []),
    ".hidden.json": (["372"], []),
    "pattern[1].json": (["373"], []),
    "star*.json": (["374"], []),
    "colon:10:00.json": (["375"], []),
    "per%20cent +.json": (["376"], []),
    "back\\slash.json": (["377"], []),
    "carriage_return.json": (["381", "382"], []),
    "json_list.json": ([], [("line 1", "not a JSON object but an array")]),
}


@pytest.fixture(scope="module")
def tables(sail: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """Events and rejects of all troubled files, each a source."""
    folder = tmp_path_factory.mktemp("troubles")
    config = job_config(folder, write_troubles(folder / "raw"))
    run_ingest(sail, config)
    return rows_of(sail, config, EVENTS), rows_of(sail, config, REJECTS)


@pytest.mark.parametrize("name", TROUBLES)
def test_troubled_file(tables: tuple[Any, Any], name: str) -> None:
    events, rejects = tables
    ids, problems = TROUBLES[name]
    assert [row["event_id"] for row in events if row["source"] == name] == [f"id-{n}" for n in ids]
    found = [row for row in rejects if row["source"] == name]
    found.sort(key=lambda row: (row["position"].startswith("byte"), row["position"]))
    assert len(found) == len(problems), found
    for row, (position, reason) in zip(found, problems, strict=True):
        assert row["position"].startswith(position), row
        assert row["reason"].startswith(reason), row
        assert row["file"].endswith(f"/{name}")


def test_cut_files_keep_what_comes_before_the_cut(tables: tuple[Any, Any]) -> None:
    events, rejects = tables
    for name, first in (("cut_lines.json.gz", 1000), ("cut_envelope.json.gz", 200)):
        ids = sorted(int(row["event_id"][3:]) for row in events if row["source"] == name)
        assert ids == list(range(first, first + len(ids)))
        assert len(ids) > 30
        reasons = {row["reason"] for row in rejects if row["source"] == name}
        assert reasons == {"cut off in the middle", "gz data end early; what follows is lost"}
    damaged = [row for row in events if row["source"] == "damaged.json.gz"]
    assert len(damaged) > 50


def test_bytes_that_are_not_utf8_are_replaced(tables: tuple[Any, Any]) -> None:
    agents = {row["user_agent"] for row in tables[0] if row["source"].startswith("latin1")}
    assert agents == {"[caf\ufffd/2.15.0]", "[aws-cli/2.15.0]"}


def test_garbage_is_rejected_line_by_line(tables: tuple[Any, Any]) -> None:
    events, rejects = tables
    assert not [row for row in events if row["source"] == "garbage.json"]
    found = [row for row in rejects if row["source"] == "garbage.json"]
    assert len(found) > 5
    assert all(row["reason"].startswith("not JSON") for row in found)
    assert not any(ord(char) < 32 and char not in "\n\t" for row in found for char in row["line"])
