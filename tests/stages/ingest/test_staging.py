"""The engine's JSON reader and the parser of text give the same events."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jobs.stages.ingest import staging
from schemas.tables.events import EVENTS, REJECTS
from tests.worlds.day_logs import lines
from tests.worlds.raw_logs import (
    envelope,
    job_config,
    rows_of,
    run_ingest,
    trail_record,
    write_file,
)
from tests.worlds.troubles import long_lines

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


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
        # The reader refuses text in place of an object, and lists and objects in place of text.
        records = [record for record in records if record["eventID"] not in ("i14", "r11", "r12")]
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


def test_a_damaged_file_does_not_make_other_sources_parse_twice(
    sail: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is found when the JSON reader fails, before the text of all sources is parsed.

    A bad record alone makes nobody read whole files.
    """
    read, read_text = [], staging.read_text
    searched, find_damage = [], staging.find_damage

    def spy(spark: Any, source: Any, *others: Any) -> Any:
        read.append(source.name)
        return read_text(spark, source, *others)

    def search(files: Any) -> Any:
        searched.append(len(files))
        return find_damage(files)

    monkeypatch.setattr(staging, "read_text", spy)
    monkeypatch.setattr(staging, "find_damage", search)
    # The cut lies beyond the bytes from which the framing is detected.
    packed = gzip.compress(long_lines(1000, 200), mtime=0)
    write_file(tmp_path / "raw/cut.json.gz", packed[: len(packed) // 2], pack=False)
    write_file(tmp_path / "raw/good.json.gz", lines(trail_record(1)))
    write_file(tmp_path / "jobs.txt", "JobID|User|Submit\n1|ana|2026-10-05T10:00:00\n")
    jobs = {"name": "jobs", "format": "slurm_sacct", "path": "jobs.txt"}
    sums = run_ingest(sail, job_config(tmp_path, [{"name": "trail", "path": "raw/*"}, jobs]))
    assert read.count("jobs") == 1
    # The broken line, and the end that is missing.
    assert sums["rejects"] == 2
    assert 50 < sums["events"] < 200
    assert searched == [2]
    write_file(tmp_path / "raw/cut.json.gz", lines(trail_record(2)) + "{bad\n")
    assert run_ingest(sail, job_config(tmp_path, [{"path": "raw/*"}]))["rejects"] == 1
    assert searched == [2]


@pytest.mark.parametrize(
    "odd", ["null", "[]", "5", '{"a":1},', '[{"eventName":"GetObject"}]', "{}", "NaN", "{"]
)
@pytest.mark.parametrize("framing", ["lines", "envelope"])
def test_one_odd_record_among_good_ones_is_never_lost(
    sail: SparkSession, tmp_path: Path, odd: str, framing: str
) -> None:
    """However the engine's reader reads it."""
    good = [json.dumps(trail_record(n)) for n in range(2)]
    text = "\n".join([good[0], odd, good[1]])
    if framing == "envelope":
        text = '{"Records":[' + ",".join([good[0], odd, good[1]]) + "]}"
    write_file(tmp_path / "raw/a.json", text)
    sums = run_ingest(sail, job_config(tmp_path, [{"path": "raw/*"}]))
    assert (sums["events"], sums["rejects"]) == (2, 1)


@pytest.mark.parametrize("case", ["kubernetes_audit/mixed", "aws_cloudtrail/eventbridge_mixed"])
def test_envelopes_of_all_kinds_in_one_file(sail: SparkSession, tmp_path: Path, case: str) -> None:
    """In any order, as the first record decides how a file is read, and in a damaged file."""
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
    """By the JSON reader and, because of another file, as text."""
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


def test_a_record_that_is_too_long(sail: SparkSession, tmp_path: Path) -> None:
    """The limit is the same in a good file and in a damaged file."""
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
