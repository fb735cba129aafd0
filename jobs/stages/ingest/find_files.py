"""Finding raw log files and the framing of their records.

The framing follows from the first kilobytes of a file. Files are read to their end only when the
engine has failed, to find the damaged ones. A file that engines would skip or misread counts as
damaged from the start; :mod:`jobs.stages.ingest.salvage.records` reads it.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

from jobs.platform.errors import RunError
from jobs.platform.terminal_text import printable
from jobs.stages.ingest.framing import inspect
from jobs.stages.ingest.listing import Found, dated_path, matching_files, own_folder
from jobs.stages.ingest.raw_file import RawFile
from schemas.config import Ingest
from schemas.sources import Source


def files_of_source(source: Source, day: date, late_days: int, limits: Ingest) -> list[RawFile]:
    """Files of ``source`` that may hold events of ``day``, sorted by path.

    Raises RunError if there are too many files. Otherwise it names every folder that cannot be
    listed and every file that cannot be read.
    """
    problems: dict[str, str] = {}
    found = _list_files(source, day, late_days, limits.max_files, problems)
    unlistable = [
        f"cannot list the folder {printable(folder)} of source {source.name!r}: {reason}"
        for folder, reason in sorted(problems.items())
    ]
    files, unreadable = [], []
    for each, file_day in sorted(found, key=lambda pair: pair[0].path):
        if each.odd:
            odd = printable(each.odd)
            files.append(RawFile(each.path, file_day, "lines", damage=odd, refused=odd))
            continue
        try:
            raw_file = inspect(Path(each.path), file_day, source, limits.max_file_bytes)
        except OSError as error:
            name = printable(each.path)
            unreadable.append(f"cannot read {name} of source {source.name!r}: {error.strerror}")
            continue
        if raw_file is not None:
            files.append(raw_file)
    if unlistable:
        advice = "let this user list and enter these folders (permissions r and x), or move them"
        unlistable.append(f"{advice} out of the source's path")
    if unreadable:
        unreadable.append("correct the files' permissions or move them out of the source's path")
    if unlistable or unreadable:
        raise RunError("\n".join([*unlistable, *unreadable]))
    return files


def _list_files(
    source: Source, day: date, late_days: int, most: int, problems: dict[str, str]
) -> list[tuple[Found, date | None]]:
    """Files that the source's path matches, each once, with the day of its folder.

    A file that has links keeps its own path if the source's path matches that. Raises RunError at
    more than ``most`` files.
    """
    base = own_folder(source.path)
    found: dict[str, tuple[Found, date | None]] = {}
    days = [day + timedelta(days=offset) for offset in range(late_days + 1)]
    patterns = {dated_path(source.path, each): each for each in reversed(days)}
    for pattern, file_day in reversed(patterns.items()):
        for each in matching_files(pattern, base, problems):
            # An odd file is listed once for each path.
            key = each.path if each.odd else each.real
            found.setdefault(key, (each, file_day if source.dated else None))
            if len(found) > most:
                raise RunError(
                    f"source {source.name!r} has {len(found):,} files for {day} and {late_days} "
                    "days after it, if not more: the listing has stopped, as they are more than "
                    f"the {most:,} that `ingest.max_files` allows; raise it, or narrow the "
                    f"source's path {source.path}"
                )
    return list(found.values())


def changed_files(files: list[RawFile]) -> list[str]:
    """Paths of files that are gone or shorter than they were when they were found."""
    changed = []
    for raw_file in files:
        try:
            whole = raw_file.refused or Path(raw_file.path).stat().st_size >= raw_file.size
        except OSError:
            whole = False
        if not whole:
            changed.append(raw_file.path)
    return changed
