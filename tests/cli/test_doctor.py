"""The doctor: checks of a job, and its list of uncertain identities."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jobs.cli.events import Wanted, find_events
from jobs.inputs.config import load_config
from schemas.tables.events import EVENTS
from tests.cli.running import ndjson, run
from tests.cli.stored import DAY, ESCAPE, event, store
from tests.worlds.raw_logs import write_context

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

UNKNOWN = ("not in the directory",)


def test_doctor_of_a_sound_job(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (job.parent / "raw" / "a.json").write_text("{}")
    code, out, err = run(capsys, "doctor", "--config", job)
    assert (code, err) == (0, ""), out
    assert "ok       engine: sail starts and counts" in out
    assert "warning  context: " in out
    assert not (job.parent / "warehouse").exists()


def test_doctor_names_each_missing_thing(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (job.parent / "context" / "networks.csv").write_text("cidr\n")
    job.write_text(
        job.read_text() + "engine: sc://127.0.0.1:1\nelasticsearch: {url: 'http://127.0.0.1:1'}\n"
    )
    code, out, _ = run(capsys, "doctor", "--config", job)
    assert code == 1
    assert "missing  context: " in out
    assert "missing  engine: the engine sc://127.0.0.1:1 cannot be reached" in out
    assert "missing  elasticsearch: http://127.0.0.1:1" in out
    job.write_text("late_days: x\n")
    code, out, _ = run(capsys, "doctor", "--config", job)
    assert code == 1
    assert "job.yml:1: late_days: " in out
    assert "job.yml:1: sources: missing" in out


def unnamed(principal: str, **changes: Any) -> dict[str, Any]:
    """Columns of an event whose principal is unknown."""
    return {"principal": principal, "user_id": principal, "user_kind": "unknown", **changes}


@pytest.fixture(scope="module")
def named_job(sail: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A job whose stored events have identities of all kinds."""
    folder = tmp_path_factory.mktemp("named")
    (folder / "raw").mkdir()
    path = folder / "job.yml"
    path.write_text("sources: [{name: logs, format: aws_cloudtrail, path: 'raw/*.json'}]\n")
    people = [
        {"user_id": "u1", "kind": "human", "email": "ana@example.com"},
        {"user_id": "u2", "kind": "human", "email": "bo@example.com"},
        {"user_id": "u3", "kind": "human", "email": "bo@vendor.example"},
    ]
    write_context(folder / "context", directory=people)
    candidates = {"details": {"identity_candidates": "u2;u3"}}
    near = {"identity_rule": "email_case", "identity_name": "ANA@example.com"}
    kinds = [
        *[{}] * 5,
        *[unnamed("ana", bytes_out=10)] * 3,
        *[unnamed("ana", source="other")] * 2,
        *[unnamed("bo@lab.example", **candidates)] * 2,
        unnamed("oidc:bo"),
        *[unnamed("anonymous", source="other")] * 4,
        unnamed(ESCAPE, details=None),
        *[{"principal": "ANA@example.com", "details": near}] * 3,
        # The log says that this is a service, so it is resolved without the directory.
        {"user_kind": "service", "user_id": "loader", "principal": "loader"},
    ]
    events = [event(number, **changes) for number, changes in enumerate(kinds)]
    before = {"day": DAY - timedelta(days=3), "event_time": datetime(2026, 10, 2, tzinfo=UTC)}
    events += [event(100 + number, **before, **unnamed("old")) for number in range(9)]
    store(sail, folder / "warehouse", EVENTS, events)
    return path


def test_doctor_lists_uncertain_identities(
    named_job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["doctor", "--config", named_job, "--identities"]
    code, out, err = run(capsys, *argv, "--format", "ndjson")
    assert (code, err) == (0, "")
    rows = ndjson(out)
    columns = ("source", "events", "resolved", "by_rule", "ambiguous", "unresolved")
    assert [tuple(r[c] for c in columns) for r in rows if r["list"] == "sources"] == [
        ("logs", 16, 9, 3, 2, 7),
        ("other", 6, 0, 0, 0, 6),
        ("*", 22, 9, 3, 2, 13),
    ]
    assert [r["resolved_share"] for r in rows if r["list"] == "sources"] == [0.5625, 0, 0.4091]
    columns = ("principal", "sources", "events", "bytes_out", "why", "hint")
    assert [tuple(r[c] for c in columns) for r in rows if r["list"] == "unresolved"] == [
        ("ana", ["logs", "other"], 5, 30, *UNKNOWN, "add it to the aliases of u1?"),
        ("anonymous", ["other"], 4, None, "the log names nobody", ""),
        (
            "bo@lab.example",
            ["logs"],
            2,
            None,
            "ambiguous: u2, u3",
            "add it to the aliases of the right one",
        ),
        ("oidc:bo", ["logs"], 1, None, *UNKNOWN, "one of u2, u3?"),
        (ESCAPE, ["logs"], 1, None, *UNKNOWN, ""),
    ]
    assert [r for r in rows if r["list"] == "by_rule"] == [
        {
            "list": "by_rule",
            "identity_rule": "email_case",
            "identity_name": "ANA@example.com",
            "user_id": "u1",
            "sources": ["logs"],
            "events": 3,
            "bytes_out": None,
        }
    ]
    code, text, err = run(capsys, *argv)
    assert (code, err) == (0, "")
    assert "not resolved: 5\n" in text
    assert "matched by a near-certain rule: 1\n" in text
    for printed in (out, text):
        assert all(character.isprintable() for character in printed.replace("\n", ""))
    # The quality gate counts the same way.
    quality = sum(row["user_kind"] == "unknown" for row in stored_events(named_job, DAY))
    assert next(r for r in rows if r.get("source") == "*")["unresolved"] == quality


def stored_events(job: Path, day: date) -> list[dict[str, Any]]:
    storage = load_config(job).storage
    return find_events(storage, Wanted(day), 0)[0]


def test_doctor_reads_the_requested_days(
    named_job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["doctor", "--config", named_job, "--identities", "--limit", "1"]
    for span, title, first in (
        ([], "events of 2026-10-05\n", "ana"),
        (["--day", "2026-10-02"], "events of 2026-10-02\n", "old"),
        (["--days", "3"], "events of 2026-10-03 to 2026-10-05\n", "ana"),
        (["--days", "90"], "events of 2026-10-02 to 2026-10-05\n", "old"),
    ):
        code, out, err = run(capsys, *argv, *span)
        assert code == 0
        assert out.startswith(title)
        listed = out.partition("not resolved: ")[2].splitlines()
        assert listed[3].startswith(f"{first} ")
        assert ("not resolved: 1 of " in err) == ("--day" not in span)


def test_doctor_without_events_names_the_remedy(
    job: Path, named_job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, "doctor", "--config", job, "--identities")
    assert (code, out) == (1, "")
    assert "run a day first (`exfilwatch run" in err
    assert not (job.parent / "warehouse").exists()
    argv = ["doctor", "--config", named_job, "--identities", "--day", "2026-10-04"]
    code, out, err = run(capsys, *argv)
    assert (code, out) == (1, "")
    assert "no events of 2026-10-04" in err
    assert "2026-10-02 to 2026-10-05" in err
    code, out, err = run(capsys, "doctor", "--config", job, "--days", "3", "--limit", "0")
    assert (code, out) == (2, "")
    assert "--days: only with --identities" in err
    assert "--limit: only with --identities" in err
