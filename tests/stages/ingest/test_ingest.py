"""The stage as a whole: which records of which files become the day's events and rejects."""

from __future__ import annotations

import contextlib
import json
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jobs.cli.doctor import check_context_files
from jobs.platform.delta_tables import replace_day, table_exists
from jobs.platform.errors import GateError, RunError
from jobs.stages import check, ingest
from jobs.stages.ingest import staging
from schemas.config import JobConfig
from schemas.tables.events import EVENTS, REJECTS
from schemas.tables.spec import Table
from tests.worlds.raw_logs import (
    ACCOUNT,
    DAY,
    envelope,
    job_config,
    rows_of,
    run_ingest,
    sums_of,
    trail_record,
    write_context,
    write_file,
)
from tests.worlds.sample_records import HEADERS, NOON, RECORDS, source_of, text_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

DAYS = [DAY + timedelta(days=offset) for offset in range(4)]
DATED = "raw/{yyyy}/{mm}/{dd}/*.json*"
NAMELESS = {"eventName": None}


def lines(*records: Any) -> str:
    """Records one a line; text stays as it is."""
    return "".join(f"{r if isinstance(r, str) else json.dumps(r)}\n" for r in records)


def put(folder: Path, day: date, content: str, name: str = "a.json") -> None:
    write_file(folder / f"raw/{day:%Y/%m/%d}" / name, content)


def ids(spark: SparkSession, config: JobConfig, day: date = DAY) -> list[str]:
    return [row["event_id"] for row in rows_of(spark, config, EVENTS, day)]


def at(day: date, number: int | str, **fields: Any) -> dict[str, Any]:
    return trail_record(number, f"{day}T10:00:00Z", **fields)


def test_late_and_early_records_belong_to_their_own_day(sail: SparkSession, tmp_path: Path) -> None:
    for offset, day in enumerate(DAYS):
        put(tmp_path, day, lines(at(DAYS[0], f"first-{offset}"), at(DAYS[1], f"second-{offset}")))
    config = job_config(tmp_path, [{"path": DATED}], late_days=2)
    sums = run_ingest(sail, config)
    assert ids(sail, config) == ["id-first-0", "id-first-1", "id-first-2"]
    assert (sums["records"], sums["of other days"]) == (6, 3)
    run_ingest(sail, config, DAYS[1])
    assert ids(sail, config, DAYS[1]) == ["id-second-1", "id-second-2", "id-second-3"]
    # The other day's run leaves this one's rows alone.
    assert ids(sail, config) == ["id-first-0", "id-first-1", "id-first-2"]


def test_every_bad_record_is_rejected_on_one_day_only(sail: SparkSession, tmp_path: Path) -> None:
    """On the day of its time where that is understood, else on that of its file."""
    for day in DAYS:
        late = at(day - timedelta(days=1), "x", **NAMELESS)
        early = at(day + timedelta(days=1), "x", **NAMELESS)
        timeless = at(day, "x", eventTime="soon")
        put(tmp_path, day, lines(at(day, "good"), "{bad", timeless, late, early))
        put(tmp_path, day, envelope(at(day, "good"), at(day, "y", **NAMELESS), 5), "b.json.gz")
        put(tmp_path, day, '{"Records":[' + json.dumps(late) + ",{bad]}", "c.json")
    config = job_config(tmp_path, [{"path": DATED}], late_days=1)
    found = []
    for day in DAYS[:3]:
        sums = run_ingest(sail, config, day)
        assert sums["events"] == 1
        # Two days' folders hold 5 + 3 + 2 pieces each: `{bad` does not hide the document's end.
        assert sums["records"] == 20
        rejects = rows_of(sail, config, REJECTS, day)
        found += [(Path(row["file"]), row["position"]) for row in rejects]
    assert len(set(found)) == len(found)
    # Nothing of the middle day's files is missing: what is early was not yet read the day before.
    middle = {(path.name, position) for path, position in found if path.parent.name == "06"}
    assert middle == {
        ("a.json", "line 2"),
        ("a.json", "line 3"),
        ("a.json", "line 4"),
        ("b.json.gz", "record 2"),
        ("b.json.gz", "record 3"),
        ("c.json", "record 1"),
        ("c.json", "record 2"),
    }


def test_undated_files_are_read_for_every_day(sail: SparkSession, tmp_path: Path) -> None:
    write_file(tmp_path / "raw/all.json", lines(at(DAYS[0], 0), at(DAYS[1], 1), "{bad"))
    config = job_config(tmp_path, [{"path": "raw/*"}])
    for number, day in enumerate(DAYS[:2]):
        assert run_ingest(sail, config, day)["rejects"] == 1
        assert ids(sail, config, day) == [f"id-{number}"]


def test_running_again_gives_the_same_rows(sail: SparkSession, tmp_path: Path) -> None:
    records = [trail_record(n, f"0{n}:00:00", userAgent=f"agent-{n}") for n in range(5)]
    # The same id with something else in it: which one is kept must not be left to chance.
    others = [trail_record(n, f"0{n}:00:00", userAgent=f"other-{n}") for n in range(5)]
    write_file(tmp_path / "raw/a.json.gz", envelope(*records, 5, *others))
    write_file(tmp_path / "raw/b.json", lines(*reversed(records), "{bad", *others))
    config = job_config(tmp_path, [{"path": "raw/*"}])
    sums = run_ingest(sail, config)
    assert (sums["events"], sums["duplicates"], sums["rejects"]) == (5, 15, 2)
    before = rows_of(sail, config, EVENTS), rows_of(sail, config, REJECTS)
    assert run_ingest(sail, config) == sums
    assert (rows_of(sail, config, EVENTS), rows_of(sail, config, REJECTS)) == before
    assert {row["user_agent"] for row in before[0]} == {f"agent-{n}" for n in range(5)}


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


def test_the_json_reader_and_the_parser_of_text_agree(
    sail: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Good files take the fast way; one bad record sends the source the other way."""
    taken = []
    for name in ("read_json", "read_text"):
        reader = getattr(staging, name)

        def spy(*arguments: Any, name: str = name, reader: Any = reader, **named: Any) -> Any:
            taken.append(name)
            return reader(*arguments, **named)

        monkeypatch.setattr(staging, name, spy)
    folder = Path(__file__).parent / "formats/aws_cloudtrail"
    for case in ("copies", "identities", "requests", "role_sessions", "duplicates"):
        text = (folder / case / "input.json").read_text(encoding="utf-8")
        records = [json.loads(line) for line in text.splitlines()]
        # Text where an object should be, and lists where text should, are what the reader refuses.
        records = [record for record in records if record["eventID"] not in ("i14", "r11")]
        write_file(tmp_path / f"raw/{case}.json", lines(*records))
        write_file(tmp_path / f"raw/{case}-2.json.gz", envelope(*records))
    for case in ("eventbridge", "eventbridge_unbroken"):
        write_file(tmp_path / f"raw/{case}.json", (folder / case / "input.json").read_bytes())
    config = job_config(tmp_path, [{"path": "raw/*.json*"}])
    run_ingest(sail, config)
    fast = rows_of(sail, config, EVENTS)
    assert len(fast) > 40
    assert set(taken) == {"read_json"}
    write_file(tmp_path / "raw/z.json", "{bad\n")
    assert run_ingest(sail, config)["rejects"] == 1
    assert "read_text" in taken
    assert rows_of(sail, config, EVENTS) == fast


@pytest.mark.parametrize(
    "odd", ["null", "[]", "5", '{"a":1},', '[{"eventName":"GetObject"}]', "{}", "NaN", "{"]
)
@pytest.mark.parametrize("framing", ["lines", "envelope"])
def test_one_odd_record_among_good_ones_is_never_lost(
    sail: SparkSession, tmp_path: Path, odd: str, framing: str
) -> None:
    """Whatever the engine's reader makes of it."""
    good = [json.dumps(trail_record(n)) for n in range(2)]
    text = "\n".join([good[0], odd, good[1]])
    if framing == "envelope":
        text = '{"Records":[' + ",".join([good[0], odd, good[1]]) + "]}"
    write_file(tmp_path / "raw/a.json", text)
    sums = run_ingest(sail, job_config(tmp_path, [{"path": "raw/*"}]))
    assert (sums["events"], sums["rejects"]) == (2, 1)


@pytest.mark.parametrize("case", ["kubernetes_audit/mixed", "aws_cloudtrail/eventbridge_mixed"])
def test_envelopes_of_all_kinds_in_one_file(sail: SparkSession, tmp_path: Path, case: str) -> None:
    """Whichever record is the first and tells how the file is read, and if the file is damaged."""
    folder = Path(__file__).parent / "formats" / case
    (log,) = folder.glob("input.*")
    records = log.read_text(encoding="utf-8").splitlines()
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    sources = []
    for first in range(len(records)):
        name = f"{first}.json"
        write_file(tmp_path / "raw" / name, lines(*records[first:], *records[:first]))
        sources.append({"name": name, "format": folder.parent.name, "path": f"raw/{name}"})
    write_file(tmp_path / "raw/damaged", "\ufeff" + lines(*records))
    sources.append({"name": "damaged", "format": folder.parent.name, "path": "raw/damaged"})
    config = job_config(tmp_path, sources)
    run_ingest(sail, config)
    events, rejects = rows_of(sail, config, EVENTS), rows_of(sail, config, REJECTS)
    for source in sources:
        ids = [row["event_id"] for row in events if row["source"] == source["name"]]
        assert ids == sorted(expected["events"]), source
        reasons = [row["reason"] for row in rejects if row["source"] == source["name"]]
        assert len(reasons) == len(expected["rejects"]), (source, reasons)


def test_two_records_on_a_line_are_two(sail: SparkSession, tmp_path: Path) -> None:
    """Whether the engine's reader can have its way or not."""
    both = json.dumps(trail_record(1)) + json.dumps(trail_record(2))
    write_file(tmp_path / "raw/a.json", lines(both))
    config = job_config(tmp_path, [{"path": "raw/*"}])
    assert run_ingest(sail, config)["events"] == 2
    write_file(tmp_path / "raw/b.json", lines("{bad"))
    assert run_ingest(sail, config)["events"] == 2


@pytest.mark.parametrize("framing", ["lines", "envelope"])
def test_half_a_surrogate_pair_costs_no_record(
    sail: SparkSession, tmp_path: Path, framing: str
) -> None:
    odd = trail_record(1, userAgent="half \ud83d of one")
    text = lines(odd) if framing == "lines" else envelope(odd)
    write_file(tmp_path / "raw/a.json", text)
    config = job_config(tmp_path, [{"path": "raw/*"}])
    assert run_ingest(sail, config)["events"] == 1
    assert rows_of(sail, config, EVENTS)[0]["user_agent"] == "half ? of one"


def test_no_file(sail: SparkSession, tmp_path: Path) -> None:
    config = job_config(tmp_path, [{"path": DATED}, {"path": "raw/x/*", "name": "other"}])
    with pytest.raises(RunError) as caught:
        ingest.STAGE.run(sail, config, DAY)
    message = str(caught.value)
    assert "no log file for 2026-10-05 (nor the 2 days after it)" in message
    assert f"trail: {tmp_path}/raw/2026/10/05/*.json*" in message
    assert f"other: {tmp_path}/raw/x/*" in message
    assert not table_exists(config.storage, EVENTS)


@pytest.mark.parametrize(
    "content", ['{"Records":[]}', lines(at(DAYS[3], 1)), lines(at(DAYS[3], 1, **NAMELESS))]
)
def test_a_day_without_a_record_leaves_the_tables_as_they_were(
    sail: SparkSession, tmp_path: Path, content: str
) -> None:
    write_file(tmp_path / "raw/a.json", lines(trail_record(1), "{bad"))
    config = job_config(tmp_path, [{"path": "raw/*"}])
    run_ingest(sail, config)
    before = rows_of(sail, config, EVENTS), rows_of(sail, config, REJECTS)
    write_file(tmp_path / "raw/a.json", content)
    with pytest.raises(RunError, match="no record of 2026-10-05 in 1 files"):
        ingest.STAGE.run(sail, config, DAY)
    assert (rows_of(sail, config, EVENTS), rows_of(sail, config, REJECTS)) == before
    assert list((tmp_path / "warehouse/_staging").iterdir()) == []


def test_a_day_of_rejects_only_is_written(sail: SparkSession, tmp_path: Path) -> None:
    """The gate judges it; to refuse it here would hide the rejects."""
    write_file(tmp_path / "raw/a.json.gz", b"no json at all\n", pack=False)
    config = job_config(tmp_path, [{"path": "raw/*"}])
    sums = run_ingest(sail, config)
    assert (sums["events"], sums["rejects"]) == (0, 1)
    assert ids(sail, config) == []


def test_a_source_without_files_is_said(sail: SparkSession, tmp_path: Path) -> None:
    write_file(tmp_path / "raw/a.json", lines(trail_record(1)))
    config = job_config(tmp_path, [{"path": "raw/*"}, {"path": "nothing/*", "name": "silent"}])
    assert str(ingest.STAGE.run(sail, config, DAY)).endswith("; NO FILE for silent")


def test_leftovers_of_a_killed_run_do_no_harm(sail: SparkSession, tmp_path: Path) -> None:
    write_file(tmp_path / "raw/a.json", lines(trail_record(1)))
    config = job_config(tmp_path, [{"path": "raw/*"}])
    write_file(tmp_path / "warehouse/_staging/killed/text.parquet", b"half a file")
    assert run_ingest(sail, config)["events"] == 1
    assert list((tmp_path / "warehouse/_staging").iterdir()) == []


@pytest.mark.parametrize("engine", ["sail", "apache_spark"])
def test_events_and_rejects_are_replaced_as_one(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    engine: str,
) -> None:
    """A run that ends between the two tables leaves a day that is refused until it is run again."""
    spark: SparkSession = request.getfixturevalue(engine)
    write_file(tmp_path / "raw/a.json", lines(trail_record(1)))
    config = job_config(tmp_path, [{"path": "raw/*"}])
    run_ingest(spark, config)
    run_ingest(spark, config)
    assert str(check.STAGE.run(spark, config, DAY))
    write_file(tmp_path / "raw/b.json", lines(trail_record(2), "{bad"))

    def stop_at_events(frame: Any, storage: str, table: Table, *others: Any) -> None:
        if table is EVENTS:
            raise KeyboardInterrupt
        replace_day(frame, storage, table, *others)

    with monkeypatch.context() as patch:
        patch.setattr("jobs.stages.stage.replace_day", stop_at_events)
        with pytest.raises(KeyboardInterrupt):
            ingest.STAGE.run(spark, config, DAY)
    assert ids(spark, config) == ["id-1"]
    with pytest.raises(RunError, match=r"not of one run.* run `exfilwatch stage ingest` for 2026"):
        check.STAGE.run(spark, config, DAY)
    run_ingest(spark, config)
    assert ids(spark, config) == ["id-1", "id-2"]
    with contextlib.suppress(GateError):
        check.STAGE.run(spark, config, DAY)


def session(name: str, key: str) -> dict[str, Any]:
    role = f"arn:aws:iam::{ACCOUNT}:role/research"
    return {
        "type": "AssumedRole",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/research/{name}",
        "accountId": ACCOUNT,
        "accessKeyId": key,
        "sessionContext": {"sessionIssuer": {"type": "Role", "arn": role}},
    }


def assume(day: date, time: str, key: str, **fields: Any) -> dict[str, Any]:
    return trail_record(
        key,
        f"{day}T{time}Z",
        eventSource="sts.amazonaws.com",
        eventName="AssumeRole",
        requestParameters={"roleArn": f"arn:aws:iam::{ACCOUNT}:role/research"},
        responseElements={"credentials": {"accessKeyId": key, "sessionToken": "hidden"}},
        **fields,
    )


def test_sessions_opened_the_day_before(sail: SparkSession, tmp_path: Path) -> None:
    """A chain over midnight: who opened the first session is known from the day before."""
    aliases = f"arn:aws:iam::{ACCOUNT}:user/ana"
    ana = {"user_id": "u-ana", "kind": "human", "aliases": aliases}
    write_context(tmp_path / "context", directory=[ana])
    today, tomorrow, third = DAYS[:3]
    put(tmp_path, today, lines(assume(today, "23:30:00", "ASIAONE")))
    chain = assume(tomorrow, "00:10:00", "ASIATWO", userIdentity=session("opaque", "ASIAONE"))
    used = at(tomorrow, "used", userIdentity=session("opaque-2", "ASIATWO"))
    put(tmp_path, tomorrow, lines(chain, used))
    put(tmp_path, third, lines(at(third, "stale", userIdentity=session("opaque", "ASIAONE"))))
    config = job_config(tmp_path, [{"path": DATED}], late_days=0)
    users = {}
    for day in (today, tomorrow, third):
        run_ingest(sail, config, day)
        users |= {row["event_id"]: row["user_id"] for row in rows_of(sail, config, EVENTS, day)}
    assert users["id-ASIAONE"] == users["id-ASIATWO"] == users["id-used"] == "u-ana"
    # Two days back is further than the config looks.
    assert users["id-stale"].endswith("assumed-role/research/opaque")
    further = job_config(tmp_path, [{"path": DATED}], ingest={"session_lookback_days": 2})
    run_ingest(sail, further, third)
    assert [row["user_id"] for row in rows_of(sail, config, EVENTS, third)] == ["u-ana"]
    nowhere = job_config(tmp_path, [{"path": DATED}], ingest={"session_lookback_days": 0})
    run_ingest(sail, nowhere, tomorrow)
    assert "u-ana" not in {row["user_id"] for row in rows_of(sail, config, EVENTS, tomorrow)}


def test_sessions_opened_by_whom_only_a_rule_knows(sail: SparkSession, tmp_path: Path) -> None:
    """The next day says so too; a key that was also handed out to a known name is that one's."""
    write_context(
        tmp_path / "context",
        directory=[
            {"user_id": "u-ana", "kind": "human", "email": "ana@example.com"},
            {"user_id": "u-bo", "kind": "human", "aliases": "bo"},
        ],
    )
    near = {**session("x", "AKIA"), "type": "IAMUser", "userName": "ANA@example.com"}
    near |= {"arn": f"arn:aws:iam::{ACCOUNT}:user/x", "sessionContext": None}
    bo = near | {"userName": "bo", "arn": f"arn:aws:iam::{ACCOUNT}:user/bo"}
    opened = [assume(DAYS[0], "23:00:00", "ASIANEAR", userIdentity=near)]
    opened += [
        assume(DAYS[0], f"23:0{number}:00", "ASIABOTH", eventID=f"both-{number}", userIdentity=who)
        for number, who in enumerate((bo, near))
    ]
    put(tmp_path, DAYS[0], lines(*opened))
    used = [
        at(DAYS[1], key, userIdentity=session("opaque", f"ASIA{key}")) for key in ("NEAR", "BOTH")
    ]
    put(tmp_path, DAYS[1], lines(*used))
    config = job_config(tmp_path, [{"path": DATED}], late_days=0)
    for day in DAYS[:2]:
        run_ingest(sail, config, day)
    both, near_key = rows_of(sail, config, EVENTS, DAYS[1])
    assert (near_key["user_id"], both["user_id"]) == ("u-ana", "u-bo")
    told = [
        {k: v for k, v in row["details"].items() if "identity_" in k} for row in (near_key, both)
    ]
    near = {"identity_rule": "email_case", "identity_name": "ANA@example.com"}
    assert told == [{"identity_type": "AssumedRole", **near}, {"identity_type": "AssumedRole"}]


def test_a_record_that_is_too_long(sail: SparkSession, tmp_path: Path) -> None:
    """By the same measure in a good file and in a damaged one."""
    long = '{"t":"2026-10-05T10:00:00Z","u":"ana","a":"' + "y" * 1000 + '"}\n'
    short = '{"t":"2026-10-05T10:00:00Z","u":"ana","a":"read"}\n'
    write_file(tmp_path / "raw/good.log", long + short)
    write_file(tmp_path / "raw/damaged.log", b"\xef\xbb\xbf" + (short + long).encode())
    mapping = {"time": "t", "principal": "u", "action": "a", "resource": "literal:model://m"}
    source = {"path": "raw/*.log", "format": "mapped", "mapping": mapping}
    limits = {"max_record_bytes": 1000, "reject_line_chars": 40}
    config = job_config(tmp_path, [source], ingest=limits)
    sums = run_ingest(sail, config)
    assert (sums["events"], sums["duplicates"], sums["rejects"]) == (1, 1, 2)
    for row in rows_of(sail, config, REJECTS):
        assert row["reason"].startswith("more than the 1,000 bytes to keep that `ingest.max_rec")
        assert row["line"] == long[:40]
        assert row["position"] == ("line 1" if row["file"].endswith("good.log") else "line 2")


def test_rejects_are_scrubbed_and_name_their_place(sail: SparkSession, tmp_path: Path) -> None:
    bad = '{"password":"HIDDEN", "x":\x1b[31m'
    write_file(tmp_path / "raw/a.json", lines(trail_record(1), bad))
    config = job_config(tmp_path, [{"path": "raw/*"}])
    run_ingest(sail, config)
    (row,) = rows_of(sail, config, REJECTS)
    assert (row["source"], row["format"]) == ("trail", "aws_cloudtrail")
    assert row["file"] == str(tmp_path / "raw/a.json")
    assert row["position"] == "line 2"
    assert row["reason"].startswith("not JSON: Expecting value")
    assert row["line"] == '{"password":"***", "x":\\x1b[31m'


@pytest.mark.parametrize("engine", ["sail", "apache_spark"])
@pytest.mark.parametrize("prefix", ["", "{bad\n", "\ufeff"], ids=["good", "bad", "damaged"])
def test_times_that_cannot_be_right_are_rejects_of_their_file_s_day(
    engine: str, prefix: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Of no clock's records one is lost: those of other days are events of those days."""
    spark: SparkSession = request.getfixturevalue(engine)
    wrong = {
        "1970-01-01T00:00:00Z": "time 1970-01-01 00:00:00 lies before 2000-01-01",
        "1999-12-31T23:59:59Z": "time 1999-12-31 23:59:59 lies before 2000-01-01",
        "2026-10-09T00:00:00.5Z": "time 2026-10-09 00:00:00 lies 2 days ahead of the last day "
        "read, 2026-10-07",
        "2031-10-05T10:00:00Z": "time 2031-10-05 10:00:00 lies 1824 days ahead of the last day "
        "read, 2026-10-07",
    }
    right = ["2000-01-01T00:00:00Z", "2026-10-08T23:59:59Z", f"{DAYS[0]}T10:00:00Z"]
    records = [trail_record(time, time) for time in (*wrong, *right)]
    put(tmp_path, DAYS[0], prefix + lines(*records))
    put(tmp_path, DAYS[1], lines(*(trail_record(f"late {time}", time) for time in wrong)))
    config = job_config(tmp_path, [{"path": DATED}])
    summary = str(ingest.STAGE.run(spark, config, DAY))
    sums = sums_of(summary)
    bad = int(prefix == "{bad\n")
    assert (sums["events"], sums["rejects"], sums["of other days"]) == (1, len(wrong) + bad, 6)
    reasons = [row["reason"] for row in rows_of(spark, config, REJECTS)]
    assert sorted(r for r in reasons if r.endswith(": is the clock right?")) == sorted(
        f"{reason}: is the clock right?" for reason in wrong.values()
    )
    assert "; WRONG TIMES, is the clock right? trail: 4 (such as " in summary


def test_times_of_files_without_a_day(sail: SparkSession, tmp_path: Path) -> None:
    """They may hold all days up to this run's, and its own day is no other's future."""
    soon = datetime.now(UTC).date() + timedelta(days=1)
    times = ["1970-01-01T00:00:00Z", f"{soon}T00:00:00Z", "2100-01-01T00:00:00Z"]
    write_file(tmp_path / "raw/a.json", lines(*(trail_record(time, time) for time in times)))
    write_file(tmp_path / "raw/b.json", lines(trail_record(1)))
    config = job_config(tmp_path, [{"path": "raw/*"}])
    sums = run_ingest(sail, config)
    assert (sums["events"], sums["rejects"], sums["of other days"]) == (1, 2, 1)


LOGINS = {
    "aws_cloudtrail": ('ana"', '{}"'),
    "aws_s3_access": ("user/ana ", "user/{} "),
    "azure_storage": ("ana@example.com", "{}"),
    "gcp_audit": ("ana@example.com", "{}"),
    "github_audit": ("ana-gh", "{}"),
    "gitlab_audit": ('"author_name": "Ana Example"', '"meta.user": "{}"'),
    "kubernetes_audit": ("ana@example.com", "{}"),
    "minio_audit": ('"bo"', '"{}"'),
    "litellm_gateway": ("u0017", "{}"),
    "slurm_sacct": ("ana-slurm", "{}"),
    "sshd": ("for ubuntu", "for {}"),
    "mapped": ("ana@example.com", "{}"),
}
"""The actor in the text of each format's sample record, and the form of a login in its place."""


def put_logins(folder: Path, *logins: str) -> JobConfig:
    """A log of each format in which each of the logins acted once."""
    for format_id, (sample, form) in LOGINS.items():
        texts = [HEADERS[format_id]] if format_id in HEADERS else []
        for number, login in enumerate(logins):
            text = text_of(RECORDS[format_id](number, NOON + timedelta(minutes=number)))
            assert sample in text
            texts.append(text.replace(sample, form.replace("{}", login)))
        write_file(folder / f"raw/{format_id}/a.log", lines(*texts))
    return job_config(folder, [source_of(format_id) for format_id in LOGINS])


def test_an_alias_of_one_log_is_nobody_in_another(sail: SparkSession, tmp_path: Path) -> None:
    people = [
        {"user_id": f"u-{format_id}", "kind": "human", "aliases": f"{format_id}:mlind"}
        for format_id in LOGINS
        if format_id not in ("github_audit", "sshd")
    ]
    everywhere = {"user_id": "u-bo", "kind": "human", "aliases": "bo;github_audit:onlygithub"}
    named = {"user_id": "mlind", "kind": "human", "aliases": "github_audit:bo2;sshd:bo2"}
    write_context(tmp_path / "context", directory=[*people, everywhere, named])
    config = put_logins(tmp_path, "mlind", "bo", "onlygithub")
    assert run_ingest(sail, config)["events"] == 3 * len(LOGINS)
    found: dict[str, list[tuple[str, str]]] = {}
    for row in sorted(rows_of(sail, config, EVENTS), key=lambda row: row["event_time"]):
        assert "identity_rule" not in row["details"]
        found.setdefault(row["source"], []).append((row["user_id"], row["user_kind"]))
    for format_id, (first, second, third) in found.items():
        assert second == ("u-bo", "human")
        if format_id in ("github_audit", "sshd"):
            # Whoever is called as a user_id is does not become that one.
            assert first == (f"{format_id}:mlind", "unknown")
        else:
            assert first == (f"u-{format_id}", "human")
        assert (third == ("u-bo", "human")) == (format_id == "github_audit")


def test_a_line_break_in_a_name_makes_no_second_name(sail: SparkSession, tmp_path: Path) -> None:
    people = [{"user_id": "u-ana", "kind": "human", "email": "ana@example.com", "aliases": "ana"}]
    write_context(tmp_path / "context", directory=people)
    config = put_logins(tmp_path, "x\\nana", "ana\\nx", "x\\u000aana@example.com")
    run_ingest(sail, config)
    rows = rows_of(sail, config, EVENTS)
    assert {row["source"] for row in rows} >= {*LOGINS} - {"aws_s3_access", "sshd"}
    assert {row["user_kind"] for row in rows} <= {"unknown", "service"}
    assert "u-ana" not in {row["user_id"] for row in rows}


def test_a_session_of_a_foreign_account_is_nobody_of_ours(
    sail: SparkSession, tmp_path: Path
) -> None:
    """By the config, by the directory, by the trails; and a role of ours that it opened."""
    ana = {"user_id": "u-ana", "kind": "human", "email": "ana@example.com"}
    write_context(tmp_path / "context", directory=[ana])
    evil, away = "arn:aws:sts::444455556666:assumed-role/evil/ana@example.com", "444455556666"
    foreign = {**session("x", "ASIAEVIL"), "arn": evil, "accountId": away}
    del foreign["sessionContext"]
    alien = {"type": "AWSAccount", "principalId": "AROAX:ana@example.com", "accountId": away}
    ours = session("ana@example.com", "ASIAOURS")
    visitor = session("ana@example.com", "ASIAVISIT")
    records = [
        at(DAY, "foreign", userIdentity=foreign),
        assume(DAY, "09:00:00", "ASIAVISIT", userIdentity=alien),
        at(DAY, "visitor", userIdentity=visitor),
        assume(DAY, "10:30:00", "ASIANEXT", userIdentity=visitor),
        at(DAY, "next", userIdentity=session("ana@example.com", "ASIANEXT")),
        at(DAY, "ours", userIdentity=ours),
    ]
    put(tmp_path, DAY, lines(*records))
    line = text_of(RECORDS["aws_s3_access"](1, NOON)).replace(
        f"arn:aws:iam::{ACCOUNT}:user/ana", evil
    )
    write_file(tmp_path / "raw/s3.log", lines(line))
    sources = [{"path": DATED}, {"name": "s3", "format": "aws_s3_access", "path": "raw/s3.log"}]
    for own in ([], [ACCOUNT]):
        config = job_config(tmp_path, sources, own_accounts=own)
        run_ingest(sail, config)
        rows = {row["event_id"]: row for row in rows_of(sail, config, EVENTS)}
        for row in rows.values():
            if row["event_id"] == "id-ours":
                assert row["user_id"] == "u-ana"
                assert row["details"]["identity_rule"] == "session_name"
            else:
                assert (row["user_id"], row["user_kind"]) == (row["principal"], "unknown")
                assert "identity_rule" not in row["details"]


def test_one_record_says_who_asked_for_a_key(sail: SparkSession, tmp_path: Path) -> None:
    """Not the least name of all records and the least key."""
    people = [
        {"user_id": f"u-{name}", "kind": "human", "aliases": f"arn:aws:iam::{ACCOUNT}:user/{name}"}
        for name in ("ana", "bo")
    ]
    write_context(tmp_path / "context", directory=people)
    opener = session("opaque", "ASIAFIRST")
    other = {**opener, "type": "IAMUser", "accessKeyId": "AKIABO", "sessionContext": None}
    other |= {"arn": f"arn:aws:iam::{ACCOUNT}:user/0", "userName": "0"}
    records = [
        assume(DAY, "09:00:00", "ASIAFIRST"),
        assume(DAY, "09:10:00", "ASIASECOND", eventID="second", userIdentity=opener),
        assume(DAY, "09:20:00", "ASIASECOND", eventID="third", userIdentity=other),
        at(DAY, "used", userIdentity=session("x", "ASIASECOND")),
    ]
    for order in (records, records[::-1]):
        put(tmp_path, DAY, lines(*order))
        config = job_config(tmp_path, [{"path": DATED}])
        run_ingest(sail, config)
        users = {row["event_id"]: row["user_id"] for row in rows_of(sail, config, EVENTS)}
        assert users["id-used"] == "u-ana"


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
    # GKE's entry of the end has another time than that of the begin; so has one of each here.
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
    """Another one who acts under the same id, and the same record once more."""
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


@pytest.mark.parametrize("nested", ["most_sensitive", "longest"])
def test_a_pattern_within_a_more_sensitive_one_is_warned_of(
    sail: SparkSession, tmp_path: Path, nested: str
) -> None:
    checkpoint = {"asset_id": "ckpt", "kind": "checkpoint", "sensitivity": "5"}
    notes = {"asset_id": "notes", "kind": "dataset", "sensitivity": "1"}
    assets = [
        {**checkpoint, "pattern": "s3://lab-ckpt/*"},
        {**notes, "pattern": "s3://lab-ckpt/orion/*"},
    ]
    write_context(tmp_path / "context", assets=assets)
    put(tmp_path, DAY, lines(at(DAY, 1)))
    config = job_config(tmp_path, [{"path": DATED}], assets={"nested": nested})
    summary = str(ingest.STAGE.run(sail, config, DAY))
    assert "notes (s3://lab-ckpt/orion/*, sensitivity 1) is within ckpt" in summary
    (row,) = rows_of(sail, config, EVENTS)
    assert row["asset_id"] == ("ckpt" if nested == "most_sensitive" else "notes")
    problems = [check.found for check in check_context_files(config) if check.name == "context"]
    assert any("notes (s3://lab-ckpt/orion/*" in problem for problem in problems)
