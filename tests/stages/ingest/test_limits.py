"""Records that are too long or nested too deep, and files and headers that are too large.

By the same measure on every path: the engine's JSON reader, text, envelopes and damaged files, and
on each engine.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tracemalloc
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jobs.cli import app as cli
from jobs.platform.delta_tables import replace_day
from jobs.platform.errors import GateError
from jobs.stages import check, ingest
from jobs.stages.ingest.raw_file import RawFile
from jobs.stages.ingest.salvage.broken_json import MAX_NESTING, json_problem, split_elements
from jobs.stages.ingest.salvage.records import read_records, scrub
from jobs.stages.ingest.salvage.records import without_depths as shallow
from schemas.config import JobConfig
from schemas.tables.events import EVENTS, REJECTS
from schemas.tables.spec import Table
from tests.worlds.raw_logs import (
    DAY,
    envelope,
    job_config,
    rows_of,
    run_ingest,
    sums_of,
    trail_record,
    write_file,
)

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

MAPPING = {"time": "t", "principal": "u", "action": "a", "resource": "x", "event_id": "id"}
MARK = b"\xef\xbb\xbf"
LONG = "y" * 5000
QUOTES = '""' * 20_000
HUGE = "y" * 1_000_000
TOO_HUGE = "a line of more than 1,000,000 bytes"
TOO_LONG = "more than the 4,000 bytes to keep that `ingest.max_record_bytes` allows"


def lines(*records: Any) -> str:
    return "".join(f"{r if isinstance(r, str) else json.dumps(r)}\n" for r in records)


def nested(levels: int, sign: str = "[") -> str:
    """A value of so many levels."""
    opening, closing = ("[", "]") if sign == "[" else ('{"a":', "}")
    return opening * levels + '"end"' + closing * levels


def deep(number: int | str, field: str, levels: int, sign: str = "[") -> str:
    """A CloudTrail record with such a value."""
    record = trail_record(number, **{field: None})
    return json.dumps(record)[:-1] + f', "{field}": {nested(levels, sign)}}}'


def kubernetes(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "auditID": f"id-{number}",
        "verb": "get",
        "requestReceivedTimestamp": f"{DAY}T10:00:00Z",
        **fields,
    }


def row(number: int, value: str = "x") -> dict[str, str]:
    return {"t": f"{DAY}T10:00:00Z", "u": "ana", "a": "read", "x": value, "id": f"id-{number}"}


def records_of_trails() -> dict[str, dict[str, str | bytes]]:
    """CloudTrail logs, by source and file: for the JSON reader, as text, and damaged."""
    good, odd = trail_record(1), trail_record(2, unknown=LONG)
    long = trail_record(3, userAgent=LONG)
    hidden = [deep(n, "unknown", levels) for n, levels in ((4, 90), (5, 127), (6, 100_000))]
    seen = [deep(7, "userAgent", 100_000), deep(8, "requestID", 100_000, "{")]
    broken = '{"eventName": ' + "[" * 100_000
    return {
        # Discarded fields count for no limit, however long or deep they are.
        "reader": {"a.json": lines(good, odd, *hidden), "b.json.gz": envelope(odd, good)},
        "text": {
            "a.json": lines(good, odd, long, *hidden, *seen, broken),
            "b.json.gz": envelope(odd, long),
            "c.json": '{"Records":[' + ",".join([json.dumps(good), *seen, hidden[2]]) + "]}",
        },
        "damaged": {
            "a.json": MARK + lines(good, long, *hidden, *seen, broken).encode(),
            "b.json": MARK + f'{{"Records":[{",".join([*seen, json.dumps(long)])}]}}'.encode(),
        },
    }


def records_of_mapped_files() -> dict[str, str | bytes]:
    """JSON and CSV files that a mapping reads."""
    return {
        "a.log": lines(row(1), row(2, LONG), json.dumps(row(3))[:-1] + f',"y":{nested(100_000)}}}'),
        "b.csv": "t,u,a,x,id\n"
        + "".join(",".join(row(n, value).values()) + "\n" for n, value in ((4, ""), (5, LONG))),
        # Neither line overflows the stack of an engine's regular expressions.
        "e.csv": "t,u,a,x,id\n"
        f'{DAY}T10:00:00Z,ana,"{QUOTES}",x,id-8\n{DAY}T10:00:00Z,ana,read,{HUGE},id-9\n',
        "c.csv": "t,u,a,x,id," + ",".join(f"c{n}" for n in range(5000)) + "\n"
        f"{DAY}T10:00:00Z,ana,read,x,id-6," + "," * 4999 + "\n"
        "too,few\n",
        "d.csv": "t,u,a,x,id," + "z" * 100_000 + "\n" + "1,2,3,4,5,6\n",
    }


def expected_limits() -> dict[str, tuple[list[int], list[str]]]:
    """For each source the numbers of its events and the reasons of its rejects."""
    no_names = "the first line is longer than 65,536 bytes, too long to name columns"
    deep_reason = f"not JSON: nested more than {MAX_NESTING} levels deep"
    return {
        "reader": ([1, 2, 4, 5, 6], []),
        "text": ([1, 2, 4, 5, 6, 7, 8], [TOO_LONG, TOO_LONG, deep_reason]),
        "damaged": ([1, 4, 5, 6, 7, 8], [TOO_LONG, TOO_LONG, deep_reason]),
        "items": ([1], [TOO_LONG, TOO_LONG]),
        "mapped": (
            [1, 3, 4, 6],
            [TOO_LONG] * 3 + [TOO_HUGE, "fewer fields than the header names", no_names, no_names],
        ),
    }


def write_logs(folder: Path) -> JobConfig:
    """Write the logs of all sources; return a job that reads them."""
    items = [kubernetes(1), kubernetes(2, requestURI=LONG), kubernetes(3, verb=LONG)]
    files = {
        **records_of_trails(),
        "items": {"a.json": json.dumps({"items": items})},
        "mapped": records_of_mapped_files(),
    }
    sources = []
    for name, contents in files.items():
        for file, content in contents.items():
            write_file(folder / f"raw/{name}/{file}", content)
        source: dict[str, Any] = {"name": name, "path": f"raw/{name}/*"}
        if name == "items":
            source["format"] = "kubernetes_audit"
        if name == "mapped":
            source |= {"format": "mapped", "mapping": MAPPING}
        sources.append(source)
    return job_config(folder, sources, ingest={"max_record_bytes": 4000})


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> tuple[JobConfig, Any]:
    return write_logs(tmp_path_factory.mktemp("limits")), expected_limits()


def tables_of(spark: SparkSession, config: JobConfig) -> tuple[Any, Any]:
    run_ingest(spark, config)
    return rows_of(spark, config, EVENTS), rows_of(spark, config, REJECTS)


def test_long_and_deep_records(sail: SparkSession, job: tuple[JobConfig, Any]) -> None:
    config, expected = job
    events, rejects = tables_of(sail, config)
    for name, (numbers, reasons) in expected.items():
        ids = [event["event_id"] for event in events if event["source"] == name]
        assert ids == [f"id-{number}" for number in numbers], name
        found = [row["reason"] for row in rejects if row["source"] == name]
        assert sorted(found) == sorted(reasons), name
    (agent,) = {row["user_agent"] for row in events if row["event_id"] == "id-7"}
    assert agent.startswith("[[[[")
    assert len(agent) < 2 * MAX_NESTING + len("null")


def test_engines_agree_on_long_and_deep_records(
    sail: SparkSession, apache_spark: SparkSession, job: tuple[JobConfig, Any], tmp_path: Path
) -> None:
    config, _ = job
    on_spark = config.model_copy(update={"storage": str(tmp_path / "spark")})
    tables = zip(tables_of(apache_spark, on_spark), tables_of(sail, config), strict=True)
    for found, expected in tables:
        # One by one, for a message that can be read.
        for row, same in zip(found, expected, strict=False):
            assert row == same
        assert len(found) == len(expected)


def test_too_many_files_stop_the_run(sail: SparkSession, tmp_path: Path) -> None:
    for name in "ab":
        write_file(tmp_path / f"raw/{name}.json", lines(trail_record(name)))
    config = job_config(tmp_path, [{"path": "raw/*"}], ingest={"max_files": 1})
    with pytest.raises(ingest.RunError, match=r"'trail' has 2 files .* `ingest\.max_files`"):
        ingest.STAGE.run(sail, config, DAY)
    assert not Path(config.storage).exists()


def test_a_gz_bomb_is_one_reject(sail: SparkSession, tmp_path: Path) -> None:
    write_file(tmp_path / "raw/a.json.gz", lines(trail_record(1)))
    write_file(tmp_path / "raw/bomb.json.gz", bytes(20_000_000))
    config = job_config(tmp_path, [{"path": "raw/*"}], ingest={"max_file_bytes": 10_000_000})
    sums = sums_of(str(ingest.STAGE.run(sail, config, DAY)))
    assert (sums["events"], sums["rejects"]) == (1, 1)
    (reject,) = rows_of(sail, config, REJECTS)
    assert reject["file"].endswith("/bomb.json.gz")
    assert "`ingest.max_file_bytes`" in reject["reason"]


@pytest.mark.slow
@pytest.mark.parametrize("framing", ["lines", "Records"])
def test_memory_of_a_gz_bomb(tmp_path: Path, framing: str) -> None:
    """One that is too large is not held; of lines that are not, one after the other is."""
    line = lines(trail_record(1))
    bomb = write_file(tmp_path / "bomb.json.gz", line * 100_000)
    size = len(line) * 100_000
    raw_file = RawFile(str(bomb), DAY, framing, damage="whatever")
    for limit in (size - 1, size) if framing == "lines" else (size - 1,):
        tracemalloc.start()
        found = sum(1 for _ in read_records(raw_file, limit))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert found == (100_000 if limit == size else 1)
        assert peak < size / 2, f"{peak:,} of {size:,} bytes"


def test_values_nested_too_deep_are_cut_off() -> None:
    """Brackets in strings, before and after, do not count."""
    before, after = '{"x":"[[[{{{\\"[","y":[{}],', ',"z":"]]]}}"}'
    just = before + f'"d":{nested(MAX_NESTING - 1)}' + after
    assert shallow(just) == just
    for levels, sign in ((MAX_NESTING, "["), (50_000, "["), (50_000, "{")):
        record = json.loads(shallow(before + f'"d":{nested(levels, sign)}' + after))
        assert record["z"] == "]]]}}"
        assert json.dumps(record).count("null") == 1
    assert json_problem("[" * 100_000) == f"not JSON: nested more than {MAX_NESTING} levels deep"


def test_an_element_nested_too_deep_ends_where_it_ends() -> None:
    text = '{"Records":[{"a":1},{"b":' + nested(50_000, "{") + '},{"c":1}]}'
    found = [(position, piece[:6]) for position, piece, _ in split_elements(text, "Records", False)]
    assert found == [("record 1", '{"a":1'), ("record 2", '{"b":{'), ("record 3", '{"c":1')]


@pytest.mark.engine
@pytest.mark.parametrize("framing", ["lines", "envelope"])
def test_more_files_than_may_be_open(framing: str, tmp_path: Path) -> None:
    """With a bad record among them, for which all are parsed as text."""
    for number in range(3000):
        fields = {"eventName": None} if number == 1500 else {}
        record = trail_record(number, **fields)
        text = lines(record) if framing == "lines" else envelope(record)
        write_file(tmp_path / f"raw/{number}.json.gz", text)
    job = tmp_path / "job.yml"
    job.write_text("sources: [{name: trail, format: aws_cloudtrail, path: 'raw/*'}]\n")
    argv = [sys.executable, "-m", "jobs.cli.app", "stage", "ingest", "--config", str(job)]
    run = subprocess.run(
        ["sh", "-c", 'ulimit -n 1024 && exec "$@"', "sh", *argv, "--day", str(DAY)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[2])},
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "3,000 records = 2,999 events + 0 duplicates + 1 rejects" in run.stdout


def test_the_limit_of_open_files_is_raised_as_far_as_it_may(sail: SparkSession) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert soft == hard or soft >= 65_536


@pytest.mark.timeout(20)
@pytest.mark.parametrize("piece", ["-eyJ", "token=\\\\", "a://b:", '"password":"', "-----BEGIN "])
def test_scrubbing_takes_no_longer_than_the_line_is_long(piece: str) -> None:
    """The longest line that the config allows, made of what begins a secret."""
    scrub(piece * (100_000 // len(piece)), 100_000)


def counted(rows: list[dict[str, Any]]) -> int:
    """How many records rows of ``rejects`` stand for."""
    return sum(row["records"] or 1 for row in rows)


@pytest.mark.parametrize("share", [100, 41])
@pytest.mark.parametrize("renamed", ["eventTime", "eventName"])
def test_a_day_with_very_many_bad_records(
    sail: SparkSession, tmp_path: Path, renamed: str, share: int
) -> None:
    """A vendor has renamed a field: a bounded number is kept, all are counted, none held here."""
    count = 25_000
    records = [trail_record(n) for n in range(count)]
    for record in records[: count * share // 100]:
        record[renamed.lower()] = record.pop(renamed)
    for number in range(5):
        write_file(tmp_path / f"raw/{number}.json.gz", envelope(*records[number::5]))
    config = job_config(tmp_path, [{"path": "raw/*"}], ingest={"max_rejects": 50})
    bad = count * share // 100
    sums = run_ingest(sail, config)
    assert (sums["events"], sums["rejects"]) == (count - bad, bad)
    rows = rows_of(sail, config, REJECTS)
    assert (len(rows), counted(rows)) == (51, bad)
    (more,) = (row for row in rows if row["records"] is not None)
    assert (more["file"], more["records"], more["line"]) == ("*", bad - 50, None)
    assert all(renamed.lower() in row["line"] for row in rows if row is not more)
    if share == 100:
        with pytest.raises(GateError, match=rf"1 \({count} of {count} records\)"):
            check.STAGE.run(sail, config, DAY)
    else:
        assert "warning" in str(check.STAGE.run(sail, config, DAY))


def test_very_many_bad_lines_of_all_kinds(sail: SparkSession, tmp_path: Path) -> None:
    """Those that can be saved are saved, however many others there are; each file's day holds."""
    next_day = DAY + timedelta(days=1)
    both = [json.dumps(trail_record(n)) + json.dumps(trail_record(f"{n}b")) for n in range(300)]
    batch = [
        json.dumps({"logEvents": [{"message": json.dumps(trail_record(f"w{n}"))}]})
        for n in range(300)
    ]
    untimed = [trail_record(n, eventTime="soon") for n in range(500)]
    garbage = [f"garbage {n}" for n in range(700)]
    text = lines(trail_record("good"), *both, *batch, *untimed, *garbage)
    write_file(tmp_path / f"raw/{DAY}/a.json", text)
    write_file(tmp_path / f"raw/{next_day}/a.json", lines(trail_record("late"), *untimed, *garbage))
    source = {"path": "raw/{yyyy}-{mm}-{dd}/*"}
    config = job_config(tmp_path, [source], ingest={"max_rejects": 20}, late_days=1)
    sums = run_ingest(sail, config)
    assert sums["events"] == 2 + 600 + 300
    assert sums["rejects"] == counted(rows_of(sail, config, REJECTS)) == 1200
    assert sums["of other days"] == 1200


def test_rejects_of_a_table_without_counts(sail: SparkSession, tmp_path: Path) -> None:
    """A table that is older than the column gets it with the next day."""
    write_file(tmp_path / "raw/a.json", lines(trail_record(1), "{bad"))
    config = job_config(tmp_path, [{"path": "raw/*"}])
    run_ingest(sail, config)
    older = Table("rejects", REJECTS.grain, REJECTS.key, REJECTS.columns[:-1])
    rows = sail.createDataFrame(
        [(DAY, "trail", "aws_cloudtrail", "f", "line 1", "r", "x")], older.ddl()
    )
    shutil.rmtree(Path(config.storage) / "rejects")
    replace_day(rows, config.storage, older, DAY)
    assert [row["records"] for row in rows_of(sail, config, REJECTS)] == [None]
    assert str(check.STAGE.run(sail, config, DAY))
    run_ingest(sail, config)
    assert [row["file"] for row in rows_of(sail, config, REJECTS)] == [str(tmp_path / "raw/a.json")]


def test_no_bad_record_is_uncounted_however_many_reasons_there_are(
    sail: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.stages.ingest.salvage.bad_records.MOST_GROUPS", 1)
    bad = [trail_record(n, eventName=None) for n in range(3)]
    bad += [trail_record(n, time="soon") for n in range(3, 8)]
    texts = [json.dumps(record) for record in (*bad, trail_record(9))]
    write_file(tmp_path / "raw/a.json", "\n".join([*texts, "no JSON", "nor this"]))
    sums = run_ingest(sail, job_config(tmp_path, [{"path": "raw/*"}]))
    assert (sums["records"], sums["events"], sums["rejects"]) == (11, 1, 10)
