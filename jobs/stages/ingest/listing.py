"""Listing the files that a source's path matches.

``glob`` skips folders that it may not list, follows every link, and lists all files before the
first one can be counted. Here a folder that cannot be listed is a problem. Each folder and file is
listed once, however many links lead to it. No link leads out of the folder that the config names.
"""

from __future__ import annotations

import fnmatch
import glob
import os
import re
import stat
from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from jobs.platform.stores import file_size, is_url
from jobs.stages.ingest.store_listing import walk_store
from schemas.sources import DATE_FIELDS, Source

ODD_KINDS = (
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
STORE_SCHEMES = ("s3", "s3a", "gs", "abfss", "hdfs")
"""Schemes of the URLs at which raw files are read."""
PLACE = re.compile(r"\{[^{}]*\}")


@dataclass(frozen=True)
class Found:
    """A file that a pattern matches.

    ``real``: its path without links, the same for all links to it. ``odd``: the reason why it must
    not be opened; None for a regular file.
    """

    path: str
    real: str
    odd: str | None = None


@dataclass(frozen=True)
class Entry:
    """An entry of a folder; ``mode`` is its own, not the mode of a link's target."""

    path: str
    name: str
    mode: int


def storage_problem(source: Source) -> str | None:
    """A message if a source lies on storage that cannot be listed; None for other sources."""
    scheme = source.path.partition("://")[0]
    if not is_url(source.path) or scheme in STORE_SCHEMES:
        return None
    known = ", ".join(f"{each}://" for each in STORE_SCHEMES)
    remedy = f"name a local folder, or a URL that begins with {known}"
    if scheme.lower() == "file":
        remedy = "leave out `file://`"
    return (
        f"source {source.name!r}: path: raw files on {scheme}:// cannot be read "
        f"({source.path}): {remedy}"
    )


def dated_path(pattern: str, day: date) -> str:
    """A source's glob with the day filled in."""
    return (
        pattern.replace("{yyyy}", f"{day:%Y}")
        .replace("{mm}", f"{day:%m}")
        .replace("{dd}", f"{day:%d}")
    )


def any_day(pattern: str) -> str:
    """A source's glob with digits in place of the day."""
    for field in DATE_FIELDS:
        pattern = pattern.replace(field, "[0-9]" * (len(field) - 2))
    return pattern


def own_folder(pattern: str) -> str:
    """The real path or the URL of the folder that holds all files of a source, whatever the day.

    It is the part of the path before its first date field or glob character.
    """
    return real_path(_split(PLACE.sub("*", pattern))[0])


def real_path(path: str) -> str:
    """A path without links; a URL as it is."""
    return path if is_url(path) else os.path.realpath(path)


def day_folder(pattern: str) -> str | None:
    """The leading part of a source's path that names one day's folder; None if there is none."""
    folders = pattern.split("/")[:-1]
    last = max((n for n, name in enumerate(folders) if PLACE.search(name)), default=-1)
    part = "/".join(folders[: last + 1])
    return part if all(field in part for field in DATE_FIELDS) else None


def matching_files(pattern: str, base: str, problems: dict[str, str]) -> Iterator[Found]:
    """Files that a glob matches, in no order; hidden files are skipped, as ``glob`` does.

    ``base``: the real folder that no link may leave. ``problems`` gets each folder that cannot be
    listed, with the reason.
    """
    return _walk(*_split(pattern), base, problems, folders=False)


def unmatched_files(pattern: str, base: str, matched: Collection[str]) -> Iterator[str]:
    """Files in a day's folders whose real paths are not ``matched``.

    ``pattern``: a source's :func:`day_folder` with a day filled in. Hidden files, empty ones,
    markers (``_SUCCESS``) and odd files are left out.
    """
    ignored: dict[str, str] = {}
    for folder in _walk(*_split(pattern), base, ignored, folders=True):
        for found in _walk(folder.path, ["**"], base, ignored, folders=False):
            marker = found.path.rpartition("/")[2].startswith("_")
            if not (found.odd or marker or found.real in matched) and _size(found.path):
                yield found.path


def _split(pattern: str) -> tuple[str, list[str]]:
    """The folder before the first glob character, and the names below it."""
    names = pattern.split("/")
    fixed = next((n for n, name in enumerate(names[:-1]) if glob.has_magic(name)), len(names) - 1)
    start = "/".join(names[:fixed]) or ("/" if pattern.startswith("/") else "")
    return start, [*filter(None, names[fixed:-1]), names[-1]]


def _walk(
    start: str, names: list[str], base: str, problems: dict[str, str], *, folders: bool
) -> Iterator[Found]:
    """Files (or ``folders``) below ``start`` that a list of globs, one for each level, matches."""
    if is_url(start):
        return (Found(url, url) for url in walk_store(start, names, problems, folders=folders))
    return _walk_local(start, names, base, problems, folders=folders)


def _walk_local(
    start: str, names: list[str], base: str, problems: dict[str, str], *, folders: bool
) -> Iterator[Found]:
    """:func:`_walk` in local folders.

    Links come last: a file that can be reached without links gets that path. The state of the walk
    is a real folder and a place in ``names``. No state comes twice, so the walk ends.
    """
    pending, links, files = deque([(start, 0)]), deque[tuple[str, int]](), []
    seen = set()
    while pending or links:
        folder, place = pending.popleft() if pending else links.popleft()
        real = os.path.realpath(folder)
        if (real, place) in seen:
            continue
        seen.add((real, place))
        if not _inside(real, base):
            yield Found(folder, real, _leads_out(real, base))
            continue
        last = place == len(names) - 1
        deep = names[place] == "**"
        if deep and not last:
            pending.append((folder, place + 1))
        for entry in _entries(folder, names[place], problems):
            is_link = stat.S_ISLNK(entry.mode)
            target, mode = _target(entry) if is_link else ("", entry.mode)
            if stat.S_ISDIR(mode):
                if deep or not last:
                    below = (entry.path, place if deep else place + 1)
                    (links if is_link else pending).append(below)
                elif folders:
                    yield Found(entry.path, target or _below(real, entry.name))
            elif last and not folders and is_link:
                files.append(_linked(entry, target, mode, base))
            elif last and not folders:
                yield Found(entry.path, _below(real, entry.name), _odd_kind(mode))
    yield from sorted(files, key=lambda found: found.path)


def _linked(entry: Entry, target: str, mode: int, base: str) -> Found:
    if not _inside(target, base):
        return Found(entry.path, target, _leads_out(target, base))
    # A link to nothing is found too. The attempt to read it then names the problem.
    return Found(entry.path, target, _odd_kind(mode)) if mode else Found(entry.path, entry.path)


def _entries(folder: str, name: str, problems: dict[str, str]) -> Iterator[Entry]:
    """Entries of a folder that a glob of one level matches; a name without magic may be hidden."""
    try:
        if not glob.has_magic(name):
            path = _below(folder, name)
            yield Entry(path, name, os.lstat(path).st_mode)
            return
        matches = re.compile(fnmatch.translate("*" if name == "**" else name)).match
        with os.scandir(folder or ".") as entries:
            for entry in entries:
                shown = name[0] == "." or entry.name[0] != "."
                if shown and matches(entry.name) and (mode := _mode(entry)):
                    yield Entry(_below(folder, entry.name), entry.name, mode)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        problems[folder] = error.strerror or str(error)


def _mode(entry: os.DirEntry[str]) -> int:
    """Type bits of an entry, 0 if it is gone; most file systems list them with the name."""
    try:
        if entry.is_file(follow_symlinks=False):
            return stat.S_IFREG
        if entry.is_dir(follow_symlinks=False):
            return stat.S_IFDIR
        return stat.S_IFLNK if entry.is_symlink() else entry.stat(follow_symlinks=False).st_mode
    except FileNotFoundError:
        return 0


def _target(entry: Entry) -> tuple[str, int]:
    """Real path and mode of a link's target; mode 0 if it cannot be read."""
    target = os.path.realpath(entry.path)
    try:
        return target, Path(target).stat().st_mode
    except OSError:
        return target, 0


def _below(folder: str, name: str) -> str:
    return f"{folder.rstrip('/')}/{name}" if folder else name


def _inside(real: str, base: str) -> bool:
    return real == base or real.startswith(base.rstrip("/") + "/")


def _leads_out(real: str, base: str) -> str:
    return f"a link to {real}, which lies outside {base}; name the real folder in the source's path"


def _odd_kind(mode: int) -> str | None:
    if stat.S_ISREG(mode):
        return None
    return next((text for is_kind, text in ODD_KINDS if is_kind(mode)), "no regular file")


def _size(path: str) -> int:
    try:
        return file_size(path)
    except OSError:
        return 0
