"""The slow path: files and records that the engine could not take, one record at a time.

Good records of a bad file are handed back to the engine as lines; the rest become rejects with
file, position and reason. Good files never come here.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from jobs.raw_files import RawFile, read_chunks

SECRETS = re.compile(
    r"(?i)(authorization|secret[_-]?access[_-]?key|session[_-]?token|password|passwd|signature|"
    r"x-amz-security-token|sig|token|secret|private[_-]?key)"
    r"([\"']?\s*[:=]\s*[\"']?)([^\"'&,\s}]{4,})"
)
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True)
class RawRecord:
    """One raw record and its place; ``problem`` is None for one the engine can parse."""

    file: str
    day: date | None
    position: str
    text: str
    problem: str | None = None


def read_records(raw_file: RawFile, max_file_bytes: int, max_chars: int) -> Iterator[RawRecord]:
    """All records of a damaged file, good and bad, in order; what is beyond saving comes last."""
    text, lost = _readable_text(raw_file, max_file_bytes)
    cut = lost is not None
    pieces = (
        _lines(text, cut)
        if raw_file.framing == "lines"
        else _elements(text, raw_file.framing, cut)
    )
    for position, piece, problem in pieces:
        if raw_file.header is not None and piece == raw_file.header:
            continue
        if problem is None and len(piece) > max_chars:
            problem = f"longer than {max_chars} characters"
        yield RawRecord(raw_file.path, raw_file.day, position, piece, problem)
    if lost is not None:
        position = f"byte {len(text.encode('utf-8', errors='replace')) + 1}"
        yield RawRecord(raw_file.path, raw_file.day, position, "", lost)


def find_lines(
    files: Iterable[RawFile], digests: set[str], max_file_bytes: int
) -> Iterator[RawRecord]:
    """Every line of ``files`` whose MD5 is in ``digests``."""
    for raw_file in files:
        text, _ = _readable_text(raw_file, max_file_bytes)
        for position, line, _ in _lines(text, cut=False):
            if line_digest(line) in digests:
                yield RawRecord(raw_file.path, raw_file.day, position, line)


def find_elements(
    files: Iterable[RawFile], places: dict[tuple[int, int], set[int]], max_file_bytes: int
) -> Iterator[tuple[RawFile, list[RawRecord]]]:
    """Elements at given indexes of the envelope files that have a given (crc32, characters)."""
    for raw_file in files:
        text, _ = _readable_text(raw_file, max_file_bytes)
        wanted = places.get((zlib.crc32(text.encode()), len(text)))
        if wanted is None:
            continue
        records = [
            RawRecord(raw_file.path, raw_file.day, position, piece, problem)
            for index, (position, piece, problem) in enumerate(
                _elements(text, raw_file.framing, cut=False)
            )
            if index in wanted
        ]
        yield raw_file, records


def line_digest(line: str) -> str:
    """What names a line between the engine and this path."""
    return hashlib.md5(line.encode(), usedforsecurity=False).hexdigest()


def json_problem(text: str) -> str | None:
    """Why a text is no JSON object; None if it is one."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        return f"not JSON: {error}"
    return None if isinstance(value, dict) else f"not a JSON object but {type(value).__name__}"


def scrub(text: str, limit: int) -> str:
    """At most ``limit`` characters of a raw record, secrets masked, control characters escaped."""
    masked = SECRETS.sub(r"\1\2***", text[: limit + 200])[:limit]
    return CONTROL.sub(lambda match: f"\\x{ord(match.group()):02x}", masked)


def _readable_text(raw_file: RawFile, max_bytes: int) -> tuple[str, str | None]:
    """Text up to where the data end, and what was lost there (None: nothing)."""
    chunks: list[bytes] = []
    lost = None
    try:
        chunks.extend(read_chunks(raw_file.path, max_bytes))
    except (EOFError, zlib.error, gzip.BadGzipFile, OverflowError) as error:
        # Read again in small steps, to keep what came before the break.
        chunks = list(_chunks_until_error(raw_file.path, max_bytes))
        reason = str(error) if isinstance(error, OverflowError) else f"gz data end early: {error}"
        lost = f"{reason}; what follows is lost"
    return b"".join(chunks).decode("utf-8-sig", errors="replace"), lost


def _chunks_until_error(path: str, max_bytes: int) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(wbits=31)
    total = 0
    with open(path, "rb") as file:
        while packed := file.read(4096):
            try:
                chunk = unpacker.decompress(packed)
            except zlib.error:
                return
            total += len(chunk)
            if total > max_bytes:
                return
            yield chunk
            if unpacker.eof:
                rest = unpacker.unused_data
                unpacker = zlib.decompressobj(wbits=31)
                if rest:
                    try:
                        yield unpacker.decompress(rest)
                    except zlib.error:
                        return


def _lines(text: str, cut: bool) -> Iterator[tuple[str, str, str | None]]:
    """Non-blank lines with their number; the last line of a cut text is not whole."""
    lines = text.split("\n")
    for number, line in enumerate(lines, start=1):
        line = line.removesuffix("\r")
        if not line.strip():
            continue
        broken = cut and number == len(lines)
        yield f"line {number}", line, "cut off in the middle" if broken else None


def _elements(text: str, array: str, cut: bool) -> Iterator[tuple[str, str, str | None]]:
    """Elements of the records array of one JSON document, as text, even if it is damaged."""
    opening = re.search(rf'"{array}"\s*:\s*\[' if array else r"\[", text)
    if opening is None:
        yield "record 1", text, f"no array {array!r} in the file"
        return
    decoder = json.JSONDecoder()
    place, number = opening.end(), 0
    while True:
        while place < len(text) and text[place] in " \t\r\n,":
            place += 1
        if place >= len(text):
            if not cut:
                yield f"byte {place + 1}", "", "the file ends before its records array does"
            return
        if text[place] == "]":
            return
        number += 1
        try:
            value, end = decoder.raw_decode(text, place)
        except (ValueError, RecursionError) as error:
            end = _next_element(text, place)
            problem = "cut off in the middle" if cut and end == len(text) else f"not JSON: {error}"
            yield f"record {number}", text[place:end], problem
        else:
            problem = (
                None
                if isinstance(value, dict)
                else f"not a JSON object but {type(value).__name__}"
            )
            # On one line, as the engine reads the good ones back line by line.
            piece = text[place:end] if problem else json.dumps(value, ensure_ascii=False)
            yield f"record {number}", piece, problem
        place = end


def _next_element(text: str, place: int) -> int:
    """Where the next element seems to begin after a broken one: at the next `},{`."""
    found = re.compile(r"\}\s*,\s*(?=\{)").search(text, place)
    return found.end() if found else len(text)
