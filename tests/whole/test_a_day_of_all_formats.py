"""One day with all formats: every written record is counted exactly once.

The tests count the records of each source while writing them.
"""

from __future__ import annotations

import gzip
import zlib
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from jobs.cli import app as cli
from jobs.stages import aggregate, ingest
from schemas.config import JobConfig
from schemas.formats import FORMATS
from schemas.tables.access import ACCESS, OBJECT_ACCESS
from schemas.tables.events import EVENTS, REJECTS
from tests.worlds.raw_logs import DAY, job_config, rows_of, sums_by_source, sums_of, write_file
from tests.worlds.sample_records import HEADERS, NOON, RECORDS, source_of, text_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

CONTEXT = Path(__file__).parents[1] / "stages/ingest/formats/context"
TABLES = (EVENTS, REJECTS, ACCESS, OBJECT_ACCESS)


ENVELOPES = {
    "aws_cloudtrail": '{"Records":[%s]}',
    "azure_storage": '{"records":[%s]}',
    "gcp_audit": "[%s]",
    "github_audit": "[%s]",
    "kubernetes_audit": '{"kind":"EventList","items":[%s]}',
}
BROKEN = {
    "aws_s3_access": "no line of this log",
    "slurm_sacct": "7|a100",
    "sshd": "no line of this log",
    "mapped": "too,few",
}


def damaged(kind: int, lines: list[str], header: list[str]) -> tuple[bytes, int, list[int]]:
    """A damaged file of good ``lines``, its number of rejects, and the indices of whole lines."""
    text = "\n".join([*header, *lines]).encode() + b"\n"
    everything = list(range(len(lines)))
    if kind == 0:
        return b"\xef\xbb\xbf" + text, 0, everything
    if kind == 1:
        return text + b"caf\xe9 \xff\n", 1, everything
    if kind == 2:
        return gzip.compress(text) + b"no gz", 1, everything
    # Stored without compression, so half the file holds half the text.
    cut = gzip.compress(text, compresslevel=0)
    cut = cut[: len(cut) // 2]
    left = zlib.decompressobj(wbits=31).decompress(cut)
    whole = left.count(b"\n") - len(header)
    # One reject for the line that is cut, one for the lost rest.
    return cut, 2 - left.endswith(b"\n"), everything[:whole]


def write_source(folder: Path, format_id: str, kind: int) -> dict[str, int]:
    """Write a source's files; returns their number of records of each sort."""
    make = RECORDS[format_id]
    sums = {"events": 0, "duplicates": 0, "rejects": 0, "of other days": 0}
    numbers = iter(range(1, 10_000))

    def good(count: int) -> list[str]:
        sums["events"] += count
        found = [next(numbers) for _ in range(count)]
        return [text_of(make(n, NOON + timedelta(seconds=n))) for n in found]

    def again(lines: list[str]) -> list[str]:
        sums["duplicates"] += len(lines)
        return lines

    def of_other_days(*days: int) -> list[str]:
        sums["of other days"] += len(days)
        return [text_of(make(next(numbers), NOON + timedelta(days=day))) for day in days]

    def broken(count: int) -> list[str]:
        sums["rejects"] += count
        return [BROKEN.get(format_id, '{"bad": ')] * count

    header = [HEADERS[format_id]] if format_id in HEADERS else []
    first, second = good(20), good(12)
    files = {
        "a": [*header, *first, "", *broken(2), *of_other_days(1)],
        "b": [*header, *second, *again(first[:5]), *broken(1), *of_other_days(-1, 2)],
        "c": [*header, *again(second[:1]), *good(8), *again(second[2:4])],
    }
    # A source has packed and plain files. It has few kinds of them, because Spark plans each kind
    # for seconds.
    lines_end, envelope_end = (".log", ".json.gz") if kind % 2 else (".log.gz", ".json")
    for name, lines in files.items():
        write_file(folder / f"{name}{lines_end}", "\n".join(lines) + "\n")
    if format_id in ENVELOPES:
        elements = [*good(4), *again(first[7:9]), "5", *of_other_days(-2), *good(4)]
        write_file(folder / f"d{envelope_end}", ENVELOPES[format_id] % ",\n".join(elements))
        sums["rejects"] += 1
    lines = [text_of(make(n, NOON + timedelta(seconds=n))) for n in range(5000, 5010)]
    content, rejects, whole = damaged(kind, lines, header)
    write_file(folder / ("f.log.gz" if kind > 1 else "f.log"), content, pack=False)
    sums["events"] += len(whole)
    sums["rejects"] += rejects
    return sums


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> tuple[JobConfig, dict[str, dict[str, int]]]:
    """A job with a source of each format, and its number of records by source and sort."""
    folder = tmp_path_factory.mktemp("day")
    written, sources = {}, []
    for number, format_id in enumerate(FORMATS):
        written[format_id] = write_source(folder / "raw" / format_id, format_id, number % 4)
        sources.append(source_of(format_id))
    return job_config(folder, sources, context=str(CONTEXT), late_days=0), written


def run(spark: SparkSession, config: JobConfig) -> tuple[str, dict[str, Any]]:
    """The summary of ``ingest``, and all rows of the stages that read raw records."""
    summary = str(ingest.STAGE.run(spark, config, DAY))
    aggregate.STAGE.run(spark, config, DAY)
    return summary, {table.name: rows_of(spark, config, table) for table in TABLES}


def test_every_record_of_every_source_is_counted_once(
    sail: SparkSession, day: tuple[JobConfig, dict[str, dict[str, int]]]
) -> None:
    config, written = day
    summary, tables = run(sail, config)
    assert sums_by_source(summary) == written
    total = sums_of(summary)
    assert total.pop("records") == sum(total.values())
    assert total == {name: sum(sums[name] for sums in written.values()) for name in total}
    for name, sums in written.items():
        for table, rows in (("events", tables["events"]), ("rejects", tables["rejects"])):
            assert sum(row["source"] == name for row in rows) == sums[table], name

    assert run(sail, config) == (summary, tables), "a re-run differs"


@pytest.mark.engine
def test_the_whole_pipeline_runs_on_such_a_day(
    day: tuple[JobConfig, dict[str, dict[str, int]]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    config, written = day
    settings = {
        "sources": [source.model_dump(exclude_none=True) for source in config.sources],
        "context": config.context,
        "late_days": 0,
    }
    (tmp_path / "job.yml").write_text(yaml.safe_dump(settings))
    code = cli.main(["run", "--config", str(tmp_path / "job.yml"), "--day", str(DAY)])
    output = capsys.readouterr()
    assert (code, output.err) == (0, "")
    for name, sums in written.items():
        records = sum(sums.values())
        assert f"; of {name}: {records} records = {sums['events']} events + " in output.out
    assert (tmp_path / "out/report.html").is_file()
