"""The context files: the versions in force on a day, and the checks of every cell.

A missing file is an empty frame; less can be detected then. A file with errors stops the run before
it starts, and the message names every problem: if half of a directory were silently dropped, people
would look like strangers. ``KIND.2026-10-05.csv`` replaces ``KIND.csv`` from that day on. A file is
parsed again only if it changes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from functools import lru_cache
from pathlib import Path

import pandas as pd

from jobs.inputs.csv_rows import (
    COLUMNS,
    PARSERS,
    ROW_CHECKS,
    Line,
    Sheet,
    frame_of,
    iso_day_of,
    parse_cells,
    split_cells,
)
from jobs.platform.errors import InputError
from schemas.context import (
    Context,
)

MAX_FILE_BYTES = 256 * 1024**2
MAX_PROBLEMS = 200
"""Most problems shown of one file. A file in a wrong format has one in every line."""
DATED_NAME = re.compile(rf"({'|'.join(COLUMNS)})\.(.+)\.csv")


def load_context(folder: str, day: date) -> Context:
    """The context in force on ``day``; raises :class:`InputError` with every problem.

    Times of approvals are naive UTC, like the timestamps in the warehouse's pandas frames. An
    ``end`` without a time holds to the end of its day.
    """
    paths = files_in_force(Path(folder), day)
    sheets = {kind: read_sheet(kind, path) for kind, path in paths.items()}
    _raise_problems(Path(folder), list(sheets.values()))
    # Copies, because a stage may add columns.
    rows = {kind: sheet.rows.copy() for kind, sheet in sheets.items()}
    return Context(rows["directory"], rows["assets"], rows["approvals"], rows["networks"])


def check_context(folder: str, days: Iterable[date] | None = None) -> None:
    """Validate every file in force on any of ``days`` (None: all files)."""
    root = Path(folder)
    if days is None:
        used = {(kind, path) for kind in COLUMNS for _, path in _versions(root, kind)}
    else:
        used = {
            (kind, path) for day in days for kind, path in files_in_force(root, day).items() if path
        }
    _raise_problems(root, [read_sheet(kind, path) for kind, path in sorted(used)])


def files_in_force(folder: Path, day: date) -> dict[str, Path | None]:
    """Kind of file → its latest version not after ``day``; None if there is none."""
    in_force: dict[str, Path | None] = {}
    for kind in COLUMNS:
        begun = [version for version in _versions(folder, kind) if version[0] <= day]
        in_force[kind] = max(begun)[1] if begun else None
    return in_force


def every_directory(folder: str) -> list[pd.DataFrame]:
    """Rows of every version of directory.csv, oldest first; InputError if one cannot be read."""
    return every_version(folder, "directory")


def every_version(folder: str, kind: str) -> list[pd.DataFrame]:
    """Rows of every version of a file, oldest first; InputError if one cannot be read."""
    versions = sorted(_versions(Path(folder), kind))
    sheets = [read_sheet(kind, path) for _, path in versions]
    _raise_problems(Path(folder), sheets)
    return [sheet.rows for sheet in sheets]


def has_file(folder: str, kind: str) -> bool:
    """True if any version of this kind of file exists."""
    return bool(_versions(Path(folder), kind))


def read_sheet(kind: str, path: Path | None) -> Sheet:
    """The file's rows with typed columns; only problems if the file cannot be read."""
    if path is None:
        return Sheet(frame_of(kind, []))
    try:
        stat = path.stat()
    except OSError as error:
        return Sheet(frame_of(kind, []), (f"{path}: cannot be read: {error.strerror or error}",))
    return _read_version(kind, path, stat.st_mtime_ns, stat.st_size)


def _versions(folder: Path, kind: str) -> list[tuple[date, Path]]:
    """The versions of a kind: the undated file, in force since ever, and the dated files."""
    undated = folder / f"{kind}.csv"
    # A dangling link counts as a file that cannot be read, not as a missing file.
    found = [(date.min, undated)] if undated.exists() or undated.is_symlink() else []
    for path in folder.glob(f"{kind}.*.csv"):
        since = iso_day_of(path.name.removeprefix(f"{kind}.").removesuffix(".csv"))
        if since:
            found.append((since, path))
    return found


def _raise_problems(folder: Path, sheets: list[Sheet]) -> None:
    problems = [problem for sheet in sheets for problem in sheet.problems]
    for path in sorted(folder.glob("*.csv")):
        dated = DATED_NAME.fullmatch(path.name)
        if dated and iso_day_of(dated[2]) is None:
            problems.append(
                f"{path}: `{dated[2]}` is not a day; name it {dated[1]}.YYYY-MM-DD.csv or move it"
            )
    if problems:
        raise InputError(problems)


@lru_cache(maxsize=64)
def _read_version(kind: str, path: Path, mtime_ns: int, size: int) -> Sheet:
    """Parse the file. The time and size are part of the key of the cache."""
    if size > MAX_FILE_BYTES:
        return Sheet(frame_of(kind, []), (f"{path}: {size:,} bytes; at most {MAX_FILE_BYTES:,}",))
    try:
        content = path.read_bytes()
    except OSError as error:
        return Sheet(frame_of(kind, []), (f"{path}: cannot be read: {error.strerror or error}",))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return Sheet(frame_of(kind, []), (f"{path}:{line}: not UTF-8; save it as CSV UTF-8",))
    problems: list[tuple[Line, str]] = []
    rows = parse_cells(split_cells(text, COLUMNS[kind], problems), PARSERS[kind], problems)
    for check in ROW_CHECKS[kind]:
        problems += check(rows)
    problems.sort(key=lambda problem: problem[0])
    shown = [f"{path}:{line}: {problem}" for line, problem in problems[:MAX_PROBLEMS]]
    if len(problems) > MAX_PROBLEMS:
        shown.append(f"{path}: and {len(problems) - MAX_PROBLEMS:,} more")
    return Sheet(frame_of(kind, [row for _, row in rows]), tuple(shown))
