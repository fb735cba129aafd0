"""Reading plain and packed files in chunks, and finding their damage."""

from __future__ import annotations

import codecs
import os
import zlib
from collections.abc import Iterator
from typing import IO, Any

from jobs.platform.stores import file_size, open_file
from jobs.stages.ingest.raw_file import RawFile

HEAD_BYTES = 65_536
CHUNK_BYTES = 1 << 20
PACKED_BYTES = 1 << 14
"""Packed bytes unpacked at a time; they yield at most 16 MiB."""
GZIP_MAGIC = b"\x1f\x8b"
MAX_DEFLATE_RATIO = 1032
"""Deflate cannot pack tighter, so a gz file below limit ÷ ratio cannot exceed the limit."""


def find_damage(files: list[RawFile]) -> dict[str, str]:
    """Read files to their end; path → problem, for files that an engine cannot read."""
    damage = {}
    for raw_file in files:
        problem = _damage(raw_file.path)
        if problem:
            damage[raw_file.path] = problem
    return damage


def too_large(path: str, max_bytes: int) -> str | None:
    """A message if a file holds more than ``max_bytes`` unpacked; None if not.

    Only a file whose packed size leaves this open is read.
    """
    size = file_size(path)
    if size * MAX_DEFLATE_RATIO <= max_bytes or (size <= max_bytes and not is_packed(path)):
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


def read_chunks(path: str) -> Iterator[bytes]:
    """Unpacked chunks of a file; its first bytes, not its name, decide whether it is gz.

    Raises EOFError where gz data end early or are damaged. All data before that place come first.
    """
    with open_file(path) as file:
        packed = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        file.seek(0)
        yield from _unpacked(file) if packed else iter(lambda: file.read(CHUNK_BYTES), b"")


def is_packed(path: str) -> bool:
    """Whether a file begins as gz data does."""
    with open_file(path) as file:
        return file.read(len(GZIP_MAGIC)) == GZIP_MAGIC


def read_head(
    path: str, limit: int = HEAD_BYTES, most_padding: int | None = None
) -> tuple[bytes, str | None]:
    """The first ``limit`` unpacked bytes, and the damage of the gz data up to there (None: none).

    Log rotation by copying and truncating leaves NUL bytes in front. They are skipped: at most
    ``most_padding`` of them (None: all).
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
    """The data of a damaged block before its damage."""
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
    packed = is_packed(path)
    with open_file(path) as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - 4))
        # Legal padding, or the length of an empty last member; engines fail on padding.
        return "zero bytes after the gz data" if packed and file.read() == b"\0\0\0\0" else None
