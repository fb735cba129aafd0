"""Finding raw log files and telling how their records are framed.

Nothing here looks at a whole good file: the first few kilobytes tell the framing, and only when
the engine has failed are files read to their end to find the damaged ones.
"""

from __future__ import annotations

import glob
import gzip
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import IO

from jobs.errors import RunError
from jobs.formats import format_module
from schemas.config import Source

HEAD_BYTES = 65_536
CHUNK_BYTES = 1 << 20
GZIP_MAGIC = b"\x1f\x8b"
BOM = b"\xef\xbb\xbf"
MAX_DEFLATE_RATIO = 1032
"""Deflate cannot pack tighter, so a gz file below limit ÷ ratio cannot exceed the limit."""


@dataclass(frozen=True)
class RawFile:
    """One file of a source.

    ``day``: the day its path names, None for undated paths. ``framing``: ``lines``, or the name of
    the array that holds the records (``""`` for a bare array). ``header``: first line of a text
    file with named columns. ``damage``: why the engine cannot be given the file, None if it can.
    """

    path: str
    day: date | None
    framing: str
    header: str | None = None
    damage: str | None = None


def find_files(source: Source, day: date, late_days: int, max_bytes: int) -> list[RawFile]:
    """Files of ``source`` that may hold events of ``day``, sorted by path.

    Raises RunError naming every file that cannot be read.
    """
    found: dict[str, date | None] = {}
    for offset in range(late_days + 1 if source.dated else 1):
        file_day = day + timedelta(days=offset)
        for path in glob.glob(dated_path(source.path, file_day), recursive=True):
            found.setdefault(path, file_day if source.dated else None)
    files, problems = [], []
    for path, file_day in sorted(found.items()):
        try:
            raw_file = _inspect(Path(path), file_day, source, max_bytes)
        except OSError as error:
            problems.append(f"cannot read {path} of source {source.name!r}: {error.strerror}")
            continue
        if raw_file is not None:
            files.append(raw_file)
    if problems:
        advice = "mend the files' permissions or move them out of the source's path"
        raise RunError("\n".join([*problems, advice]))
    return files


def dated_path(pattern: str, day: date) -> str:
    """A source's glob with the day filled in."""
    return (
        pattern.replace("{yyyy}", f"{day:%Y}")
        .replace("{mm}", f"{day:%m}")
        .replace("{dd}", f"{day:%d}")
    )


def open_raw(path: str | Path) -> IO[bytes]:
    """Open a plain or gz file, told apart by its first bytes rather than by its name."""
    with open(path, "rb") as file:
        packed = file.read(2) == GZIP_MAGIC
    return gzip.open(path, "rb") if packed else open(path, "rb")  # type: ignore[return-value]


def find_damage(files: list[RawFile], max_bytes: int) -> dict[str, str]:
    """Read files to their end; path → what is wrong, for those an engine cannot read."""
    damage = {}
    for raw_file in files:
        problem = _damage(raw_file.path, max_bytes)
        if problem:
            damage[raw_file.path] = problem
    return damage


def read_chunks(path: str, max_bytes: int) -> Iterator[bytes]:
    """Unpacked chunks of a file; raises EOFError, zlib.error or OSError where its data end early.

    Raises OverflowError beyond ``max_bytes`` unpacked.
    """
    total = 0
    with open_raw(path) as file:
        while chunk := file.read(CHUNK_BYTES):
            total += len(chunk)
            if total > max_bytes:
                raise OverflowError(f"more than {max_bytes} bytes unpacked")
            yield chunk


def _damage(path: str, max_bytes: int) -> str | None:
    import codecs

    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for chunk in read_chunks(path, max_bytes):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "bytes that are not UTF-8"
    except OverflowError as error:
        return str(error)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        return f"gz data end early: {error}"
    return None


def _inspect(path: Path, day: date | None, source: Source, max_bytes: int) -> RawFile | None:
    """Framing of one file; None for an empty one."""
    size = path.stat().st_size
    if size == 0:
        return None
    with open(path, "rb") as file:
        packed = file.read(2) == GZIP_MAGIC
    damage = None
    if packed != (path.suffix == ".gz"):
        damage = "packed although not named .gz" if packed else "named .gz although not packed"
    if packed and size * MAX_DEFLATE_RATIO > max_bytes or size > max_bytes:
        damage = damage or _damage(str(path), max_bytes)
    head = b""
    try:
        with open_raw(path) as stream:
            head = stream.read(HEAD_BYTES)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        damage = f"gz data end early: {error}"
    if head.startswith(BOM):
        damage = damage or "byte order mark"
        head = head.removeprefix(BOM)
    text = head.decode("utf-8", errors="replace")
    framing, header = _framing(text, source)
    return RawFile(str(path), day, framing, header, damage)


def _framing(head: str, source: Source) -> tuple[str, str | None]:
    module = format_module(source.format)
    for array in module.ENVELOPES:
        if _holds_array(head, array):
            return array, None
    if not hasattr(module, "record") or (source.format == "mapped" and head.lstrip()[:1] == "{"):
        return "lines", None
    return "lines", head.split("\n", 1)[0].rstrip("\r")


def _holds_array(head: str, name: str) -> bool:
    """Whether a text begins a JSON document whose top-level member ``name`` is an array."""
    if name == "":
        return head.lstrip().startswith("[")
    if not head.lstrip().startswith("{"):
        return False
    match = re.search(rf'"{name}"\s*:\s*\[', head)
    if match is None:
        return False
    before = re.sub(r'"(?:[^"\\]|\\.)*"', "", head[: match.start()])
    return before.count("{") - before.count("}") == 1 and "[" not in before
