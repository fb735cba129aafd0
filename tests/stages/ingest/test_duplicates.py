"""Records with an id in common: copies are dropped, different events are all kept."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from schemas.tables.events import EVENTS
from tests.worlds.day_logs import lines
from tests.worlds.logins import LOGINS, put_logins
from tests.worlds.raw_logs import DAY, job_config, rows_of, run_ingest, trail_record, write_file
from tests.worlds.sample_records import HEADERS, NOON, RECORDS, source_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def test_many_duplicates_are_found_without_bringing_them_here(
    sail: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_file(tmp_path / "raw/a.json", lines(*(trail_record(n % 5) for n in range(12))))
    config = job_config(tmp_path, [{"path": "raw/*"}])
    run_ingest(sail, config)
    few = rows_of(sail, config, EVENTS)
    monkeypatch.setattr("jobs.stages.ingest.deduplicate.FEW_DUPLICATES", 1)
    assert run_ingest(sail, config)["duplicates"] == 7
    assert rows_of(sail, config, EVENTS) == few


def test_an_id_is_unique_within_its_source(sail: SparkSession, tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_file(tmp_path / f"raw/{name}.json", lines(trail_record(1), trail_record(1)))
    sources = [{"name": name, "path": f"raw/{name}.json"} for name in ("one", "two")]
    sums = run_ingest(sail, job_config(tmp_path, sources))
    assert (sums["events"], sums["duplicates"]) == (2, 2)


def test_an_id_that_the_caller_chose_hides_nothing(sail: SparkSession, tmp_path: Path) -> None:
    """One `Audit-ID` for a list and eight `exec tar`, each in three stages and delivered twice."""
    record = RECORDS["kubernetes_audit"](1, NOON)
    listing = {**record, "verb": "list", "requestURI": "/api/v1/pods", "auditID": "same"}
    listing["objectRef"] = {"resource": "pods", "namespace": "serving"}
    stages = ("RequestReceived", "ResponseStarted", "ResponseComplete")
    records = [{**listing, "stage": stage} for stage in stages]
    for number in range(8):
        run = {**record, "auditID": "same", "requestURI": f"/exec?command=tar&command={number}"}
        run["requestReceivedTimestamp"] = f"{DAY}T12:00:01.00000{number}Z"
        records += [{**run, "stage": stage} for stage in stages]
    # GKE's last entry has another time than its first; so do these two records.
    for stage, second in (("ResponseStarted", 1), ("ResponseComplete", 9)):
        ended = {**record, "auditID": "watch", "stage": stage}
        records.append({**ended, "requestReceivedTimestamp": f"{DAY}T12:00:0{second}Z"})
    source = source_of("kubernetes_audit")
    config = job_config(tmp_path, [{**source, "path": "raw/*.log"}])
    found = []
    for order in (records + records, records[::-1]):
        write_file(tmp_path / "raw/a.log", lines(*order))
        assert run_ingest(sail, config)["events"] == 10
        found.append(rows_of(sail, config, EVENTS))
    assert found[0] == found[1]
    kept = {row["event_id"]: row for row in found[0]}
    assert kept["same"]["action"] == "list"
    others = [event_id for event_id in kept if event_id not in ("same", "watch")]
    assert all(re.fullmatch("same#[0-9a-f]{12}", event_id) for event_id in others)
    assert {kept[event_id]["details"]["command"] for event_id in others} == {
        f"tar {number}" for number in range(8)
    }
    # With one of the events alone, the rest would have other ids, but none would be lost.
    assert kept["watch"]["event_time"].second == 9


def test_an_id_of_two_events_in_every_format(sail: SparkSession, tmp_path: Path) -> None:
    """Another actor under the same id, and the same record once more."""
    people = put_logins(tmp_path, "one").sources
    for source in people:
        path = Path(source.path.replace("*", "a.log"))
        form = LOGINS[source.format][1]
        text = path.read_text(encoding="utf-8")
        head = f"{HEADERS[source.format]}\n" if source.format in HEADERS else ""
        first = text.removeprefix(head)
        login = form.replace("{}", "one")
        assert login in first
        other = first.replace(login, form.replace("{}", "two"))
        path.write_text(head + first + other + first + other, encoding="utf-8")
    config = job_config(tmp_path, [source_of(format_id) for format_id in LOGINS])
    sums = run_ingest(sail, config)
    assert (sums["events"], sums["duplicates"]) == (2 * len(LOGINS), 2 * len(LOGINS))
    rows = rows_of(sail, config, EVENTS)
    assert len({(row["source"], row["event_id"]) for row in rows}) == 2 * len(LOGINS)
    assert len({(row["source"], row["principal"]) for row in rows}) == 2 * len(LOGINS)
