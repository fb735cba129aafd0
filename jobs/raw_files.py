"""Finding raw log files and telling how their records are framed.

Nothing here looks at a whole good file: the first few kilobytes tell the framing, and only when
the engine has failed are files read to their end to find the damaged ones. A file that engines
would skip or misread counts as damaged from the start; :mod:`jobs.salvage` reads those.
"""

from __future__ import annotations

import codecs
import json
import os
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from types import ModuleType
from typing import IO, Any

from jobs.errors import RunError
from jobs.formats import format_module, wrapper_of
from jobs.listing import Found, dated_path, matching_files, own_folder
from jobs.plain_text import printable
from schemas.config import Ingest, Source

HEAD_BYTES = 65_536
CHUNK_BYTES = 1 << 20
PACKED_BYTES = 1 << 14
"""Packed bytes unpacked at a time: at most 16 MiB come out of them."""
GZIP_MAGIC = b"\x1f\x8b"
BOM = b"\xef\xbb\xbf"
MAX_DEFLATE_RATIO = 1032
"""Deflate cannot pack tighter, so a gz file below limit ÷ ratio cannot exceed the limit."""
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]]')
COLON = re.compile(r"\s*:\s*")
MISREAD_PATH = re.compile(
    r"[*?\[\]{}\\\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]|/[^/]*:[^/]*$|/[._][^/]*$"
)
"""Paths that engines take for a pattern, refuse, or skip because the file counts as hidden.

Python reads a byte of a name that is not UTF-8 as half of a surrogate pair.
"""


@dataclass(frozen=True)
class RawFile:
    """One file of a source.

    ``day``: the day its path names, None for undated paths. ``framing``: ``lines``, or the name of
    the array that holds the records (``""`` for a bare array). ``header``: first line of a text
    file with named columns, empty for text without such a line. ``fault``: why no record of a text
    file can be understood, None if they can. ``damage``: why the engine cannot be given the file,
    None if it can. ``wrapper``: the member that wraps each record, None where nothing does.
    ``per_line``: whether every line is a document of its own with such an array. ``refused``: why
    the file must not be opened at all, None for nearly every file. ``size``: bytes on the disk.
    """

    path: str
    day: date | None
    framing: str
    header: str | None = None
    fault: str | None = None
    damage: str | None = None
    wrapper: str | None = None
    per_line: bool = False
    refused: str | None = None
    size: int = field(default=0, compare=False, repr=False)


def find_files(source: Source, day: date, late_days: int, limits: Ingest) -> list[RawFile]:
    """Files of ``source`` that may hold events of ``day``, sorted by path.

    Raises RunError naming every folder that cannot be listed and every file that cannot be read,
    or that there are too many files.
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
            raw_file = _inspect(Path(each.path), file_day, source, limits.max_file_bytes)
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
        unreadable.append("mend the files' permissions or move them out of the source's path")
    if unlistable or unreadable:
        raise RunError("\n".join([*unlistable, *unreadable]))
    return files


def _list_files(
    source: Source, day: date, late_days: int, most: int, problems: dict[str, str]
) -> list[tuple[Found, date | None]]:
    """What the source's path matches, each file once, with the day of its folder.

    A file that has links is found by its own path, if the source's path matches it. Stops at more
    than ``most`` files.
    """
    base = own_folder(source.path)
    found: dict[str, tuple[Found, date | None]] = {}
    days = [day + timedelta(days=offset) for offset in range(late_days + 1)]
    patterns = {dated_path(source.path, each): each for each in reversed(days)}
    for pattern, file_day in reversed(patterns.items()):
        for each in matching_files(pattern, base, problems):
            # Of what is odd each path is listed.
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


def find_damage(files: list[RawFile]) -> dict[str, str]:
    """Read files to their end; path → what is wrong, for those an engine cannot read."""
    damage = {}
    for raw_file in files:
        problem = _damage(raw_file.path)
        if problem:
            damage[raw_file.path] = problem
    return damage


def too_large(path: str | Path, max_bytes: int) -> str | None:
    """That a file holds more than ``max_bytes`` unpacked; None if not.

    Only what may hold more is read, and nothing of it is kept.
    """
    size = Path(path).stat().st_size
    if size * (MAX_DEFLATE_RATIO if _is_packed(path) else 1) <= max_bytes:
        return None
    total = 0
    try:
        for chunk in read_chunks(path):
            total += len(chunk)
            if total > max_bytes:
                return f"more than the {max_bytes:,} bytes that `ingest.max_file_bytes` allows"
    except EOFError:
        pass
    return None


def read_chunks(path: str | Path) -> Iterator[bytes]:
    """Unpacked chunks of a plain or gz file, told apart by its first bytes and not by its name.

    Raises EOFError where gz data end early or go wrong, after all that can be had before that
    place.
    """
    packed = _is_packed(path)
    with Path(path).open("rb") as file:
        yield from _unpacked(file) if packed else iter(lambda: file.read(CHUNK_BYTES), b"")


def _is_packed(path: str | Path) -> bool:
    with Path(path).open("rb") as file:
        return file.read(len(GZIP_MAGIC)) == GZIP_MAGIC


def read_head(
    path: str | Path, limit: int = HEAD_BYTES, most_padding: int | None = None
) -> tuple[bytes, str | None]:
    """The first ``limit`` unpacked bytes, and what is wrong with the gz data up to there.

    NUL bytes in front, which log rotation by copying and truncating leaves, are passed over: at
    most ``most_padding`` of them (None: all).
    """
    head = bytearray()
    padding = 0
    try:
        for chunk in read_chunks(path):
            content = chunk if head else chunk.lstrip(b"\0")
            padding += len(chunk) - len(content)
            head += content
            if len(head) >= limit or (most_padding is not None and padding > most_padding):
                break
    except EOFError as error:
        return bytes(head[:limit]), str(error)
    return bytes(head[:limit]), None


def _unpacked(file: IO[bytes]) -> Iterator[bytes]:
    """Unpacked bytes of all members of a gz file; zero bytes may follow the last one."""
    unpacker = zlib.decompressobj(wbits=31)
    while packed := file.read(PACKED_BYTES):
        while packed:
            if unpacker.eof:
                packed = packed.lstrip(b"\0")
                if not packed:
                    break
                unpacker = zlib.decompressobj(wbits=31)
            before = unpacker.copy()
            try:
                yield unpacker.decompress(packed)
            except zlib.error as error:
                yield from _up_to_the_error(before, packed)
                where = (
                    "text after the gz data" if "header" in str(error) else "gz data are damaged"
                )
                raise EOFError(f"{where}: {error}") from error
            packed = unpacker.unused_data
    if not unpacker.eof:
        raise EOFError("gz data end early")


def _up_to_the_error(unpacker: Any, packed: bytes) -> Iterator[bytes]:
    """What a block that goes wrong somewhere yields before that place."""
    for place in range(len(packed)):
        try:
            yield unpacker.decompress(packed[place : place + 1])
        except zlib.error:
            return


def _damage(path: str) -> str | None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for chunk in read_chunks(path):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "bytes that are not UTF-8"
    except EOFError as error:
        return str(error)
    packed = _is_packed(path)
    with Path(path).open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - 4))
        # Legal padding, or the length of an empty last member; engines stumble over the former.
        return "zero bytes after the gz data" if packed and file.read() == b"\0\0\0\0" else None


def _inspect(path: Path, day: date | None, source: Source, max_bytes: int) -> RawFile | None:
    """Framing of one file; None for one without content."""
    size = path.stat().st_size
    if size == 0:
        return None
    packed = _is_packed(path)
    head, damage = read_head(path, most_padding=max_bytes)
    if not head and damage is None and not too_large(path, max_bytes):
        return None
    if packed != (path.suffix == ".gz"):
        damage = damage or (
            "packed although not named .gz" if packed else "named .gz although not packed"
        )
    if MISREAD_PATH.search(str(path)):
        damage = damage or "a path that engines misread"
    damage = damage or too_large(path, max_bytes)
    if head.startswith(BOM):
        damage = damage or "byte order mark"
        head = head.removeprefix(BOM)
    text = head.decode("utf-8", errors="replace")
    framing, header = _framing(text, source)
    module = format_module(source.format)
    fault = None
    if header and len(head) == HEAD_BYTES and text.endswith(header):
        fault = f"the first line is longer than {HEAD_BYTES:,} bytes, too long to name columns"
    elif header is not None:
        fault = module.header_problem(header, source)
    return RawFile(
        str(path),
        day,
        framing,
        header,
        fault,
        damage or fault,
        _wrapper(text, framing, module),
        framing in getattr(module, "BATCHES", ()) and _begins_with_a_document(text),
        size=size,
    )


def _framing(head: str, source: Source) -> tuple[str, str | None]:
    module = format_module(source.format)
    for array in module.ENVELOPES:
        if _array_start(head, array) is not None:
            return array, None
    if not hasattr(module, "record") or module.is_json(head, source):
        return "lines", None
    if getattr(module, "HEADERLESS", False):
        return "lines", ""
    if hasattr(module, "given_header") and (given := module.given_header(head, source)):
        return "lines", given
    first = next((line for line in head.split("\n") if line.strip()), "")
    return "lines", first.rstrip("\r")


def _array_start(head: str, name: str) -> int | None:
    """Where the array begins that is the top-level member ``name`` of a JSON document, if any."""
    if name == "":
        start = len(head) - len(head.lstrip())
        return start if head.startswith("[", start) else None
    return next(
        (at for found, at in members(head) if found == name and head.startswith("[", at)), None
    )


def _wrapper(head: str, framing: str, module: ModuleType) -> str | None:
    """What wraps the first record of a file; the others are looked at if that was wrong."""
    start = None if framing == "lines" else _array_start(head, framing)
    record = head if start is None else head[start + 1 :]
    return wrapper_of((name for name, _ in members(record)), module)


def _begins_with_a_document(head: str) -> bool:
    """Whether the first line is a whole document, or goes on beyond what can be seen."""
    first, line_break, _ = head.lstrip().partition("\n")
    try:
        json.loads(first)
    except (ValueError, RecursionError):
        return not line_break
    return True


def members(text: str) -> Iterator[tuple[str, int]]:
    """Names of the members of the JSON object a text begins with, and where their values begin.

    Further on the text may be broken or cut off.
    """
    if not text.lstrip().startswith("{"):
        return
    depth = 0
    for token in TOKEN.finditer(text):
        if token[0] in "{[":
            depth += 1
        elif token[0] in "}]":
            depth -= 1
            if depth == 0:
                return
        elif depth == 1 and (colon := COLON.match(text, token.end())):
            yield token[0][1:-1], colon.end()
