"""Parsed rows of raw files that several days of a run share.

Records may arrive late, so a day reads the files of the days after it as well. A run over several
days keeps the parsed rows of these files, and so parses each file once. A *part* holds the rows of
the files of one day, of one or more sources. Each day of the run copies its own rows from the parts
into its staging table. Files that no later day of the run reads are parsed into the staging table.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, NamedTuple

from jobs.platform.stores import create_file, file_names, open_file, remove_folder
from jobs.stages.ingest.dating import Dating, dating
from jobs.stages.ingest.parse import Days, rows_of_day
from jobs.stages.ingest.raw_file import RawFile
from jobs.stages.ingest.staging import Parsing, SourceFiles, parse_good_files
from jobs.stages.sql import quoted
from jobs.stages.stage import RunOfDays

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

INDEX = "parts.json"
"""The parts of the run, in its folder."""


class ParsedFile(NamedTuple):
    """A file as it was found before it was parsed, and the damage that the engine met in it."""

    path: str
    size: int
    modified: int | None
    damage: str | None = None


@dataclass(frozen=True)
class Part:
    """Rows of files of ``file_day`` (None: undated), with the columns of those of ``days``.

    ``files``: the files of each source whose rows count. Rows of other sources are outdated.
    """

    folder: str
    file_day: date | None
    dated: Dating
    days: Days
    files: Mapping[str, list[ParsedFile]]

    def holds(self, entry: SourceFiles) -> bool:
        """Whether the part has the rows of exactly these files, and none has changed."""
        known = self.files.get(entry.source.name)
        as_found = [(file.path, file.size, file.modified) for file in entry.good]
        return known is not None and [file[:3] for file in known] == as_found

    def of_sources(self, names: Iterable[str]) -> Part:
        """The part without the rows of other sources."""
        return replace(self, files={name: self.files[name] for name in names})


def stage_good_files(
    parsing: Parsing, inputs: list[SourceFiles], run: RunOfDays | None
) -> list[SourceFiles]:
    """Stage the rows of all undamaged files; returns ``inputs`` with the damage the engine met.

    The rows are the same with and without ``run``.
    """
    if run is None:
        return parse_good_files(parsing, inputs)
    known, used = _read_index(run), list[Part]()
    alone: dict[str, SourceFiles] = {}
    for file_day, entries in _by_file_day(inputs).items():
        held, new = _held(known, entries, file_day, parsing.day)
        used += held
        readers, dated = _readers(run, file_day, parsing), dating(file_day is not None, parsing.day)
        if new and set(readers) != {parsing.day}:
            days = min(readers), max(readers)
            folder = f"{run.folder}/{uuid.uuid4().hex}"
            marked = parse_good_files(replace(parsing, days=days, part=folder), new)
            files = {entry.source.name: _as_parsed(entry, marked) for entry in new}
            used.append(Part(folder, file_day, dated, days, files))
            continue
        for entry in new:
            name = entry.source.name
            before = alone[name].files if name in alone else []
            alone[name] = SourceFiles(entry.source, [*before, *entry.files])
    damage: dict[str, dict[str, str]] = {entry.source.name: {} for entry in inputs}
    if alone or not used:
        for entry in parse_good_files(parsing, list(alone.values())):
            damage[entry.source.name] |= {f.path: f.damage for f in entry.damaged if f.damage}
    for part in used:
        for name, parsed in part.files.items():
            damage[name] |= {file.path: file.damage for file in parsed if file.damage}
    if used:
        parsing.write([_rows_of_part(parsing, part) for part in used], "parts")
    later = run.left(parsing.day)[1:]
    _keep(run, [part for part in used if any(_covers(part, day) for day in later)], known + used)
    return [entry.marked(damage[entry.source.name]) for entry in inputs]


def _by_file_day(inputs: list[SourceFiles]) -> dict[date | None, list[SourceFiles]]:
    """The undamaged files of each source, by the day that their paths name."""
    found: dict[date | None, list[SourceFiles]] = {}
    for entry in inputs:
        days: dict[date | None, list[RawFile]] = {}
        for raw_file in entry.good:
            days.setdefault(raw_file.day, []).append(raw_file)
        for file_day, files in days.items():
            found.setdefault(file_day, []).append(SourceFiles(entry.source, files))
    return found


def _held(
    known: list[Part], entries: list[SourceFiles], file_day: date | None, day: date
) -> tuple[list[Part], list[SourceFiles]]:
    """The parts that have rows of some entries for ``day``, and the entries without a part."""
    held, left = [], entries
    for part in known:
        if part.file_day == file_day and _covers(part, day):
            names = [entry.source.name for entry in left if part.holds(entry)]
            left = [entry for entry in left if entry.source.name not in names]
            held += [part.of_sources(names)] if names else []
    return held, left


def _covers(part: Part, day: date) -> bool:
    """Whether a run of ``day`` parses the files of the part in the same way."""
    same = part.dated == dating(part.file_day is not None, day)
    return same and part.days[0] <= day <= part.days[1]


def _readers(run: RunOfDays, file_day: date | None, parsing: Parsing) -> list[date]:
    """The days left in the run that parse files of ``file_day`` in the same way."""
    late = timedelta(days=parsing.config.late_days)
    left = run.left(parsing.day)
    if file_day is not None:
        return [day for day in left if day <= file_day <= day + late]
    return [day for day in left if dating(False, day) == dating(False, parsing.day)]


def _as_parsed(entry: SourceFiles, marked: list[SourceFiles]) -> list[ParsedFile]:
    """The files of an entry as found before, with the damage that the engine met."""
    (own,) = (each for each in marked if each.source.name == entry.source.name)
    return [ParsedFile(file.path, file.size, file.modified, file.damage) for file in own.files]


def _rows_of_part(parsing: Parsing, part: Part) -> DataFrame:
    names = ", ".join(map(quoted, sorted(part.files)))
    rows = replace(parsing, part=part.folder).rows("*").where(f"source in ({names})")
    return rows_of_day(rows, parsing.day)


def _keep(run: RunOfDays, kept: list[Part], parts: list[Part]) -> None:
    """Write the index of the parts that later days use, and remove the other ``parts``."""
    folders = {part.folder for part in kept}
    with create_file(f"{run.folder}/{INDEX}") as file:
        file.write(json.dumps([asdict(part) for part in kept], default=str).encode())
    for folder in {part.folder for part in parts} - folders:
        remove_folder(folder)


def _read_index(run: RunOfDays) -> list[Part]:
    """The parts that earlier days of the run kept; empty on its first day."""
    if INDEX not in file_names(run.folder):
        return []
    with open_file(f"{run.folder}/{INDEX}") as file:
        rows = json.load(file)
    return [
        Part(
            row["folder"],
            _day(row["file_day"]) if row["file_day"] else None,
            Dating(*row["dated"]),
            (_day(row["days"][0]), _day(row["days"][1])),
            {name: [ParsedFile(*file) for file in files] for name, files in row["files"].items()},
        )
        for row in rows
    ]


def _day(text: str) -> date:
    return date.fromisoformat(text)
