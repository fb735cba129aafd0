"""Replaces whole files, several at once, in a folder or on an object store."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from jobs.platform.errors import RunError
from jobs.platform.stores import create_file, is_url, reason


def write_files(files: Mapping[str, Iterable[str]]) -> None:
    """Replace text files, given as path or URL → parts. Missing folders are made.

    In a folder, all files are written under temporary names before the first is renamed. RunError
    if one cannot be written; then only the old files stay. A replaced file keeps its permissions.
    On a store each file is replaced as a whole, one after the other, once all their parts are made.
    """
    if any(map(is_url, files)):
        _put_files(files)
    else:
        _write_local_files({Path(path): parts for path, parts in files.items()})


def _put_files(files: Mapping[str, Iterable[str]]) -> None:
    contents = {url: "".join(parts).encode() for url, parts in files.items()}
    for url, content in contents.items():
        try:
            with create_file(url) as file:
                file.write(content)
        except OSError as error:
            raise RunError(
                f"{url} cannot be written: {reason(error)}; let this user write there, then run "
                "this again"
            ) from error


def _write_local_files(files: Mapping[Path, Iterable[str]]) -> None:
    partials = {path: path.with_name(f".{path.name}.partial") for path in files}
    path = next(iter(files))
    try:
        for path, parts in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_partial(partials[path], parts, path)
        for path, partial in partials.items():
            partial.replace(path)
        for folder in {path.parent for path in files}:
            _sync_folder(folder)
    except OSError as error:
        names = " and ".join(path.name for path in files)
        raise RunError(
            f"{path} cannot be written: {error.strerror or error}; {names} in {path.parent} stay "
            "as they were: make room or let this user write there, then run this again"
        ) from error
    finally:
        for partial in partials.values():
            with suppress(OSError):
                partial.unlink()


def _write_partial(partial: Path, parts: Iterable[str], path: Path) -> None:
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    with partial.open("w", encoding="utf-8", newline="\n") as file:
        if path.exists():
            os.fchmod(file.fileno(), stat.S_IMODE(path.stat().st_mode))
        file.writelines(parts)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
