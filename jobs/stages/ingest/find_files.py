"""Finding raw log files and the framing of their records.

The framing follows from the first kilobytes of a file. Files are read to their end only when the
engine has failed, to find the damaged ones. A file that engines would skip or misread counts as
damaged from the start; :mod:`jobs.stages.ingest.salvage.records` reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import TypeVar

from jobs.platform.errors import RunError
from jobs.platform.stores import file_size, is_url, reason
from jobs.platform.terminal_text import printable
from jobs.stages.ingest.framing import inspect
from jobs.stages.ingest.listing import Found, dated_path, matching_files, own_folder
from jobs.stages.ingest.raw_file import RawFile
from schemas.config import Ingest
from schemas.sources import Source

REQUESTS = 16
"""Most requests to a store at once."""
T = TypeVar("T")
R = TypeVar("R")


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
    in_order = sorted(found, key=lambda pair: pair[0].path)

    def look_at(pair: tuple[Found, date | None]) -> RawFile | OSError | None:
        each, file_day = pair
        if each.odd:
            odd = printable(each.odd)
            return RawFile(each.path, file_day, "lines", damage=odd, refused=odd)
        try:
            return inspect(each.path, file_day, source, limits.max_file_bytes)
        except OSError as error:
            return error

    for (each, _), looked_at in zip(
        in_order, _at_once(look_at, in_order, source.path), strict=True
    ):
        if isinstance(looked_at, OSError):
            why = printable(reason(looked_at))
            unreadable.append(
                f"cannot read {printable(each.path)} of source {source.name!r}: {why}"
            )
        elif looked_at is not None:
            files.append(looked_at)
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

    def whole(raw_file: RawFile) -> bool:
        try:
            return bool(raw_file.refused) or file_size(raw_file.path) >= raw_file.size
        except OSError:
            return False

    found = _at_once(whole, files, files[0].path if files else "")
    return [raw_file.path for raw_file, held in zip(files, found, strict=True) if not held]


def _at_once(work: Callable[[T], R], items: Sequence[T], place: str) -> Iterator[R]:
    """The results of ``work`` in order; for files at a URL, some requests run at once."""
    if not is_url(place):
        yield from map(work, items)
        return
    with ThreadPoolExecutor(REQUESTS) as threads:
        yield from threads.map(work, items)
