"""Principals, role sessions and assets of stored events."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jobs.cli.doctor import check_context_files
from jobs.stages import ingest
from schemas.tables.events import EVENTS
from tests.worlds.day_logs import DATED, DAYS, at, lines, put
from tests.worlds.logins import LOGINS, put_logins
from tests.worlds.raw_logs import (
    ACCOUNT,
    DAY,
    job_config,
    rows_of,
    run_ingest,
    trail_record,
    write_context,
    write_file,
)
from tests.worlds.sample_records import NOON, RECORDS, text_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


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
    """A chain over midnight: the day before names the identity that opened the first session."""
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
    """The next day resolves them alike. A key also issued to an exact name belongs to that name."""
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
            # A login that equals a user_id does not become that user.
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
    """Nor is a session of our role that it opened; ``own_accounts`` may be set or empty."""
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
    """The names and the key of one record are used together, in any order of records."""
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
