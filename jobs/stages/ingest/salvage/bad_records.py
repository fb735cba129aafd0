"""Saving or rejecting the records that the engine could not parse.

They are found in their files again and read one by one
(:mod:`jobs.stages.ingest.salvage.records`). Good records come back as lines and join the staging
table; the rest are the day's rejects. The engine counts all of them, and this process holds a
bounded number: ``ingest.max_rejects`` records of each source and problem are read. More are read
only where the engine may be wrong: the text is not one record, or other records with the same
problem could be saved.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from io import TextIOWrapper
from typing import TYPE_CHECKING, TextIO

from jobs.platform.stores import create_file, open_file
from jobs.stages.ingest.formats import LOG_FORMATS
from jobs.stages.ingest.formats.log_format import LogFormat
from jobs.stages.ingest.parse import BAD, NOT_A_RECORD
from jobs.stages.ingest.raw_file import RawFile
from jobs.stages.ingest.salvage.records import (
    Breaks,
    RawRecord,
    find_elements,
    find_lines,
    find_rows,
    line_digest,
    read_records,
    repaired_records,
    unpacked_records,
)
from jobs.stages.ingest.salvage.rejects import (
    GROUP,
    KEY,
    MOST_GROUPS,
    NUMBERS,
    OTHER_REASONS,
    Group,
    Rejects,
)
from jobs.stages.ingest.staging import Parsing, SourceFiles, parse_lines, read_staged
from jobs.stages.sql import quoted
from schemas.config import JobConfig
from schemas.sources import Source

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, Row, SparkSession

MOST_LOOKED_AT = 200_000
"""Most records of a source and problem that are read if some can be saved."""
Kind = tuple[str, str | None, str | None, date | None]
"""Source, header and wrapper of saved records, and the day of their file."""


@dataclass
class Saved:
    """Records that go back to the engine: lines in files, and the origin of each line."""

    folder: str
    day: date
    files: dict[Kind, tuple[str, TextIO, TextIO]] = field(default_factory=dict)

    def add(self, source: Source, header: str | None, record: RawRecord) -> None:
        """A sound record under the header of its file."""
        key = (source.name, header, record.wrapper, record.day)
        if key not in self.files:
            path = f"{self.folder}/salvaged-{len(self.files)}.txt"
            lines: TextIO = TextIOWrapper(create_file(path), encoding="utf-8", newline="\n")
            if header is not None:
                lines.write(f"{header}\n")
            origins: TextIO = TextIOWrapper(
                create_file(_origins(path)), encoding="utf-8", newline="\n"
            )
            self.files[key] = path, lines, origins
        lines, origins = self.files[key][1:]
        lines.write(f"{record.text}\n")
        origins.write(json.dumps([record.file, record.position]) + "\n")

    def close(self) -> None:
        """Close all files, after which :meth:`find` may read them."""
        for _, *files in self.files.values():
            for file in files:
                file.close()

    def find(self, digests: dict[tuple[str, str], Row]) -> Iterator[tuple[Row, RawRecord]]:
        """The saved records whose (source, MD5) is in ``digests``."""
        for (source, header, wrapper, file_day), (path, _, _) in self.files.items():
            late = file_day not in (None, self.day)
            with (
                TextIOWrapper(open_file(path), encoding="utf-8", newline="\n") as lines,
                TextIOWrapper(open_file(_origins(path)), encoding="utf-8") as origins,
            ):
                if header is not None:
                    next(lines)
                for line, origin in zip(lines, origins, strict=True):
                    text = line.removesuffix("\n")
                    row = digests.get((source, line_digest(text)))
                    if row is not None and row.late_file == late:
                        file, position = json.loads(origin)
                        yield row, RawRecord(file, file_day, position, text, wrapper=wrapper)


def _origins(path: str) -> str:
    return f"{path}.origin"


def salvage_records(
    spark: SparkSession, inputs: list[SourceFiles], config: JobConfig, day: date, staging: str
) -> Rejects:
    """Read the records that the engine could not parse and stage the good ones.

    Returns the rejects of the day.
    """
    rejects = Rejects(day, config.ingest.max_rejects, config.ingest.reject_line_chars)
    saved = Saved(staging, day)
    bad = _bad_keys(spark, staging, "*")
    counts = _counts(bad)
    looked_at = _rows(bad, counts, 0, rejects.most)
    savable, seen = _look_at(inputs, looked_at, rejects, saved)
    others = _rows(bad, [g for g in savable if counts[g] > seen[g]], rejects.most)
    seen += _look_at(inputs, others, rejects, saved)[1]
    sources = {entry.source.name: entry.source for entry in inputs}
    for group, count in counts.items():
        rejects.add_uncollected(sources[group.source], group, count - seen[group])
    for entry in inputs:
        _read_damaged(entry, config.ingest.max_file_bytes, rejects, saved)
    saved.close()
    _stage_saved(spark, sources, saved, rejects, config, staging)
    return rejects


def _bad_keys(spark: SparkSession, staging: str, name: str) -> DataFrame:
    """Bad staging rows: their group, the key of each in its file, and the number of copies."""
    rows = read_staged(spark, staging, name).where(BAD)
    return (
        rows.selectExpr(
            "source",
            f"regexp_replace(problem, '{NUMBERS}', 'N') as problem",
            "event_time is not null as timed",
            "late_file",
            "file_crc is not null and place is null as whole",
            *KEY[:-1],
            "problem as reason",
        )
        .groupBy(*GROUP, *KEY)
        .count()
        .withColumnRenamed("count", "copies")
    )


def _counts(bad: DataFrame) -> dict[Group, int]:
    """Bad records by group; those beyond ``MOST_GROUPS`` groups are counted under one reason."""
    found = bad.groupBy(*GROUP).agg({"copies": "sum"}).withColumnRenamed("sum(copies)", "copies")
    rows = found.orderBy(*GROUP).limit(MOST_GROUPS).collect()
    counts = {_group_of(row): row.copies for row in rows}
    if len(rows) == MOST_GROUPS:
        for row in found.groupBy("source", "timed", "late_file").agg({"copies": "sum"}).collect():
            source, timed, late, total = row
            known = sum(
                count
                for group, count in counts.items()
                if (group.source, group.timed, group.late_file) == (source, timed, late)
            )
            if total > known:
                counts[Group(source, OTHER_REASONS, timed, late, False)] = total - known
    return counts


def _rows(bad: DataFrame, groups: Iterable[Group], after: int, most: int = 0) -> list[Row]:
    """At most ``most`` rows of each of ``groups`` after the first ``after`` rows.

    0 for ``most`` is ``MOST_LOOKED_AT``. Rows that may be sound or hold several records ignore
    ``most``.
    """
    wanted = list(groups)
    if not wanted:
        return []
    sources = ", ".join(sorted({quoted(group.source) for group in wanted}))
    problems = ", ".join(sorted({quoted(group.problem) for group in wanted}))
    any_of_them = f"problem = {quoted(NOT_A_RECORD)} or whole"
    last = f"case when {any_of_them} then {MOST_LOOKED_AT} else {most or MOST_LOOKED_AT} end"
    if after:
        last = f"case when {any_of_them} then 0 else {MOST_LOOKED_AT} end"
    order = f"row_number() over (partition by {', '.join(GROUP)} order by {', '.join(KEY)})"
    chosen = bad.where(f"source in ({sources}) and problem in ({problems})")
    numbered = chosen.selectExpr("*", f"{order} as number")
    rows = numbered.where(f"number > {after} and number <= {last}").collect()
    return [row for row in rows if _group_of(row) in set(wanted)]


def _group_of(row: Row) -> Group:
    return Group(*(row[name] for name in GROUP))


def _look_at(
    inputs: list[SourceFiles], rows: list[Row], rejects: Rejects, saved: Saved
) -> tuple[set[Group], Counter[Group]]:
    """Find the raw records of bad rows, and save or reject each.

    Returns the groups with saved records, and the number of rows read of each group.
    """
    by_source: dict[tuple[str, bool], list[Row]] = defaultdict(list)
    for row in rows:
        by_source[row.source, row.late_file].append(row)
    savable: set[Group] = set()
    seen: Counter[Group] = Counter()
    for (name, late), wanted in sorted(by_source.items()):
        entry = next(entry for entry in inputs if entry.source.name == name)
        source, form = entry.source, LOG_FORMATS[entry.source.format]
        files = [f for f in entry.good if (f.day not in (None, rejects.day)) == late]
        for found, header, record in _find_records(files, wanted, form):
            group = None if found is None else _group_of(found)
            if group is not None:
                seen[group] += 1
            if record is None:
                continue
            # A bad line of a text format stays bad, even if it happens to be JSON.
            readable = form.json is not None and header is None
            parts = _parts(record, form) if readable else [record]
            if found is not None and group is not None and not group.whole and parts == [record]:
                rejects.add(source, record, found.reason, group.timed)
                continue
            if group is not None:
                savable.add(group)
            for part in parts:
                _keep(source, header, part, rejects, saved)
    return savable, seen


def _keep(
    source: Source, header: str | None, part: RawRecord, rejects: Rejects, saved: Saved
) -> None:
    if part.problem is None:
        saved.add(source, header, part)
    else:
        rejects.add(source, part, part.problem, timed=False)


def _parts(record: RawRecord, form: LogFormat) -> list[RawRecord]:
    """The records in a text that the engine could not parse, each with its wrapper."""
    sound = repaired_records(record) or [record]
    return [part for each in sound for part in unpacked_records(each, form)]


def _find_records(
    files: list[RawFile], rows: list[Row], form: LogFormat
) -> Iterator[tuple[Row | None, str | None, RawRecord | None]]:
    """(bad row, header, raw record); the header is given where lines were joined.

    A document or a joined row is given once without a record. Its parts follow without a row.
    """
    lines = {row.digest: row for row in rows if row.file_crc is None and row.digest}
    with_lines = [raw_file for raw_file in files if raw_file.framing == "lines"]
    yield from _find_lines(with_lines, lines, form.text.breaks if form.text else None)
    elements: dict[tuple[int, int], dict[int, Row]] = {}
    documents: dict[tuple[int, int], Row] = {}
    for row in rows:
        if row.file_crc is not None:
            key = (row.file_crc, row.file_chars)
            places = elements.setdefault(key, {})
            if row.place is None:
                documents[key] = row
            else:
                places[row.place] = row
    left = sum(row.copies for row in rows if row.file_crc is not None)
    envelopes = [raw_file for raw_file in files if raw_file.framing != "lines" and left]
    for raw_file in envelopes:
        for key, place, record in find_elements([raw_file], elements):
            if place is not None:
                left -= 1
                yield elements[key][place], None, record
            elif record is None:
                left -= 1
                yield documents[key], None, None
            else:
                yield None, None, record
        if left <= 0:
            return


def _find_lines(
    files: list[RawFile], lines: dict[str, Row], breaks: Breaks | None
) -> Iterator[tuple[Row | None, str | None, RawRecord | None]]:
    if not lines:
        return
    left = sum(row.copies for row in lines.values())
    for raw_file in files:
        joined = set()
        if breaks:
            for _, record, places in find_rows([raw_file], lines, breaks):
                joined.update(places)
                yield None, raw_file.header, record
        for record in find_lines([raw_file], lines.keys()):
            left -= 1
            in_row = record.position in joined
            yield lines[line_digest(record.text)], None, None if in_row else record
        if left <= 0:
            return


def _read_damaged(entry: SourceFiles, limit: int, rejects: Rejects, saved: Saved) -> None:
    """Save or reject all records of the files that the engine must not read."""
    form = LOG_FORMATS[entry.source.format]
    breaks = form.text.breaks if form.text else None
    for raw_file in entry.damaged:
        for record in read_records(raw_file, limit, breaks):
            parts = [record] if raw_file.header is not None else unpacked_records(record, form)
            for part in parts:
                _keep(entry.source, raw_file.header, part, rejects, saved)


def _stage_saved(
    spark: SparkSession,
    sources: dict[str, Source],
    saved: Saved,
    rejects: Rejects,
    config: JobConfig,
    staging: str,
) -> None:
    """Stage the saved records; a record that is bad again becomes a reject."""
    if not saved.files:
        return
    kinds = [
        (sources[name], RawFile(path, file_day, "lines", header, wrapper=wrapper))
        for (name, header, wrapper, file_day), (path, _, _) in sorted(saved.files.items(), key=str)
    ]
    parse_lines(Parsing(spark, config, rejects.day, staging), kinds, "salvaged")
    bad = _bad_keys(spark, staging, "salvaged")
    counts = _counts(bad)
    rows = _rows(bad, counts, 0, rejects.most)
    digests = {(row.source, row.digest): row for row in rows}
    seen: Counter[Group] = Counter()
    for row, record in saved.find(digests):
        group = _group_of(row)
        seen[group] += 1
        rejects.add(sources[group.source], record, row.reason, group.timed)
    for group, count in counts.items():
        rejects.add_uncollected(sources[group.source], group, count - seen[group])
