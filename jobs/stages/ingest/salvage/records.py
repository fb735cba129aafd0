"""The slow path: files and records that the engine could not read, one record at a time.

Good records of a bad file are handed back to the engine as lines; the rest become rejects with
file, position and reason. Good files never come here.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import re
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from jobs.stages.ingest.formats.log_format import LogFormat
from jobs.stages.ingest.gzip_files import read_chunks, too_large
from jobs.stages.ingest.raw_file import RawFile
from jobs.stages.ingest.salvage.broken_json import (
    BLANK,
    DECODER,
    MAX_NESTING,
    PADDING,
    TOKEN,
    Piece,
    begins_document,
    json_problem,
    object_problem,
    opening_of,
    skip,
    split_elements,
    without_padding,
)
from jobs.stages.ingest.secrets import BARE_SECRET, NAMED_SECRET

Breaks = Callable[[str, str], bool | None]
"""Whether a row under a header goes on in the next line; None if the text begins no row."""
MAX_ROW_LINES = 1000
HEAD_CHARS = 10_000
"""Most characters of a document before its records array."""

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
SURROGATES = re.compile(
    r"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
)
LONE_SURROGATE_CHARS = len(r"\ud800")


@dataclass(frozen=True)
class RawRecord:
    """One raw record and its place; ``problem`` is None if the engine can parse it.

    ``wrapper``: the name of the record's wrapper; None without one.
    """

    file: str
    day: date | None
    position: str
    text: str
    problem: str | None = None
    wrapper: str | None = None


def read_records(
    raw_file: RawFile, max_file_bytes: int, breaks: Breaks | None = None
) -> Iterator[RawRecord]:
    """All records of a damaged file, good and bad, in order; the text that is lost comes last."""
    pieces: Iterator[tuple[str, str, str | None]]
    problem = raw_file.refused or too_large(raw_file.path, max_file_bytes)
    if problem:
        pieces = iter([("byte 1", "", f"{problem}; the file is not read")])
    elif raw_file.framing == "lines":
        pieces = _read_lines(raw_file)
    elif raw_file.per_line:
        pieces = split_documents(_read_lines(raw_file), raw_file.framing)
    else:
        pieces = _read_elements(raw_file)
    is_json = raw_file.header is None
    if breaks and raw_file.header and raw_file.fault is None:
        pieces = map(_one_line, joined_rows(pieces, raw_file.header, breaks))
    for position, piece, problem in pieces:
        if not is_json and piece and piece == raw_file.header and raw_file.fault is None:
            continue
        problem = problem or raw_file.fault or (json_problem(piece) if is_json else None)
        record = RawRecord(raw_file.path, raw_file.day, position, piece, problem)
        yield from (is_json and repaired_records(record)) or [record]


def find_lines(files: Iterable[RawFile], digests: Collection[str]) -> Iterator[RawRecord]:
    """Every line of ``files`` whose MD5 is in ``digests``."""
    for raw_file in files:
        for position, line, _ in _read_lines(raw_file):
            if line_digest(line) in digests and line != raw_file.header:
                problem = json_problem(line) if raw_file.header is None else None
                yield RawRecord(
                    raw_file.path, raw_file.day, position, line, problem, raw_file.wrapper
                )


def find_rows(
    files: Iterable[RawFile], digests: Collection[str], breaks: Breaks
) -> Iterator[tuple[RawFile, RawRecord, list[str]]]:
    """Rows of several lines with a line whose MD5 is in ``digests``; positions of their lines."""
    for raw_file in files:
        for row in joined_rows(_read_lines(raw_file), raw_file.header or "", breaks):
            if len(row) > 1 and any(line_digest(line) in digests for _, line, _ in row):
                record = RawRecord(raw_file.path, raw_file.day, *_one_line(row))
                yield raw_file, record, [position for position, _, _ in row]


def joined_rows(pieces: Iterable[Piece], header: str, breaks: Breaks) -> Iterator[list[Piece]]:
    """Lines that make one row together; every other line alone."""
    row: list[Piece] = []
    for piece in pieces:
        goes_on = None if piece[2] else breaks(piece[1], header)
        if row and goes_on is None and not piece[2] and len(row) < MAX_ROW_LINES:
            row.append(piece)
            if not breaks(_one_line(row)[1], header):
                yield row
                row = []
            continue
        yield from ([line] for line in row)
        row = [piece] if goes_on else []
        if not goes_on:
            yield [piece]
    yield from ([line] for line in row)


def _one_line(row: list[Piece]) -> Piece:
    (position, _, problem), *_ = row
    return position, " ".join(text for _, text, _ in row), problem


def find_elements(
    files: Iterable[RawFile], wanted: Mapping[tuple[int, int], Collection[int]]
) -> Iterator[tuple[tuple[int, int], int | None, RawRecord | None]]:
    """The wanted elements: (crc32, characters) of the document, place in it, element.

    ``wanted``: places by document. A document without places is given as one item without an
    element; all its elements follow without places.
    """
    for raw_file in files:
        for position, document in _documents(raw_file):
            key = (zlib.crc32(document.encode()), len(document))
            places = wanted.get(key)
            if places is None:
                continue
            if raw_file.per_line and not places:
                pieces = _split_line(position, document, raw_file.framing, cut=False)
            else:
                pieces = _elements_of(position, document, raw_file.framing, cut=False)
            if not places:
                yield key, None, None
            for place, piece in enumerate(pieces):
                if place in places or not places:
                    record = RawRecord(raw_file.path, raw_file.day, *piece, raw_file.wrapper)
                    yield key, place if places else None, record


def _documents(raw_file: RawFile) -> Iterator[tuple[str, str]]:
    """Each document of a file with its position, which is empty if the file is one document."""
    if not raw_file.per_line:
        yield "", _readable_text(raw_file)[0]
        return
    for position, line, _ in _read_lines(raw_file):
        yield position, line


def line_digest(line: str) -> str:
    """MD5 of a line, by which the engine and the salvage path name it."""
    return hashlib.md5(line.encode(), usedforsecurity=False).hexdigest()


def repaired_records(record: RawRecord) -> list[RawRecord]:
    """The JSON objects in a text that some engine cannot parse but that are sound; usually none.

    A line may hold several objects. An object may hold half a surrogate pair or be nested too deep.
    """
    objects = _objects_in(record.text)
    if objects in ([], [record.text.strip(BLANK)]):
        return []
    return [
        RawRecord(
            record.file,
            record.day,
            record.position if number == 1 else f"{record.position} object {number}",
            part,
        )
        for number, part in enumerate(objects, start=1)
    ]


def unpacked_records(record: RawRecord, form: LogFormat) -> list[RawRecord]:
    """The records in the array that a line holds, else the line's record; each with its wrapper.

    Most lines of most formats come back unchanged.
    """
    try:
        value = DECODER.decode(record.text)
    except (ValueError, RecursionError):
        value = None
        array = next((name for name in form.envelopes if _begins_batch(record.text, name)), None)
        if array is None:
            return [record]
    else:
        array = next((name for name in form.envelopes if _is_batch(value, name)), None)
        if array is None:
            return [_with_wrapper(record, value, form)]
    batch = form.json.batch_origin.get(array) if form.json else None
    origin = value.get(batch) if isinstance(value, dict) else None
    parts = []
    for position, piece, problem in _elements_of(record.position, record.text, array, cut=False):
        part = replace(record, position=position, text=piece, problem=problem)
        if problem is None:
            element = DECODER.decode(piece)
            if origin:  # the document's values go with each of its records
                element = {batch: origin, **element}
                part = replace(part, text=json.dumps(element))
            part = _with_wrapper(part, element, form)
        parts.append(part)
    return parts


def _begins_batch(text: str, array: str) -> bool:
    """Whether a text that is not JSON begins like a document with such an array."""
    found = opening_of(array).search(text, 0, HEAD_CHARS) if array else None
    return found is not None and begins_document(text[: found.start()].strip(BLANK))


def _is_batch(value: Any, array: str) -> bool:
    if array == "":
        return isinstance(value, list)
    return isinstance(value, dict) and isinstance(value.get(array), list)


def _with_wrapper(record: RawRecord, value: Any, form: LogFormat) -> RawRecord:
    """A record with its wrapper, and with a problem if the wrapper holds no record."""
    name = form.wrapper_of(value if isinstance(value, dict) else ())
    if name is None:
        return replace(record, wrapper=None)
    path, text = form.wrapper(name).path, record.text
    holder, inner = {}, value
    for step in filter(None, path.split(".")):
        holder, inner = inner, inner.get(step) if isinstance(inner, dict) else None
    problem = json_problem(inner) if isinstance(inner, str) else object_problem(inner)
    if problem:
        problem = f"no record in {path}: {problem}"
    elif isinstance(inner, str) and (repaired := repair_surrogates(inner)) != inner:
        holder[path.rpartition(".")[2]] = repaired
        text = json.dumps(value)
    return replace(record, wrapper=name, text=text, problem=record.problem or problem)


def _objects_in(text: str) -> list[str]:
    """The repaired JSON objects of a text that holds nothing else; empty for other text."""
    text, place = without_depths(text), 0
    objects = []
    try:
        while (place := skip(text, place, BLANK)) < len(text):
            start = place
            value, place = DECODER.raw_decode(text, start)
            if not isinstance(value, dict):
                return []
            objects.append(repair_surrogates(text[start:place]))
    except (ValueError, RecursionError):
        return []
    return objects


def repair_surrogates(text: str) -> str:
    """JSON text with ``?`` for each half of a surrogate pair that stands alone.

    Half a pair is not a character: one engine refuses the record, the other writes ``?``.
    """
    return SURROGATES.sub(
        lambda match: "?" if len(match[0]) == LONE_SURROGATE_CHARS else match[0], text
    )


def without_depths(text: str) -> str:
    """JSON text with ``null`` for each value that is nested deeper than engines can follow.

    No server logs such values by itself. A caller may provoke one, and must not hide the rest of
    the record by it. Text whose brackets do not match is returned unchanged.
    """
    if text.count("{") + text.count("[") <= MAX_NESTING:
        return text
    parts, depth, start = [], 0, 0
    for token in TOKEN.finditer(text):
        if text[token.start()] in "{[":
            depth += 1
            if depth == MAX_NESTING + 1:
                parts.append(text[start : token.start()])
        elif text[token.start()] in "}]":
            depth -= 1
            if depth == MAX_NESTING:
                start = token.end()
    return "null".join([*parts, text[start:]]) if depth == 0 else text


def scrub(text: str, limit: int) -> str:
    """At most ``limit`` characters of a raw record, secrets masked, control characters escaped."""
    head = text[: limit + 4096]
    masked = NAMED_SECRET.sub(r"\1\2\g<quote>***", BARE_SECRET.sub("***", head))[:limit]
    return CONTROL.sub(lambda match: f"\\x{ord(match.group()):02x}", masked)


def split_documents(lines: Iterable[Piece], array: str) -> Iterator[Piece]:
    """Sound lines, each a document or a record; from other lines the records that can be saved."""
    for position, line, problem in lines:
        if problem and not line:
            yield position, line, problem
        else:
            yield from _split_line(position, line, array, cut=problem is not None)


def _split_line(position: str, line: str, array: str, cut: bool) -> Iterator[Piece]:
    if _objects_in(line):
        return iter([(position, line, None)])
    return _elements_of(position, line, array, cut)


def _elements_of(position: str, document: str, array: str, cut: bool) -> Iterator[Piece]:
    for place, piece, problem in split_elements(document, array, cut):
        yield f"{position} {place}".lstrip(), piece, problem


def _read_lines(raw_file: RawFile) -> Iterator[Piece]:
    """The non-blank lines of a file, one at a time; the last piece is the text that was lost.

    Bytes that are not UTF-8 become U+FFFD: one bad byte must not hide an access.
    """
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    number, count, lost = 1, 0, None
    parts: list[str] = []
    try:
        for chunk in read_chunks(raw_file.path):
            count += len(chunk)
            first, *others = decoder.decode(chunk).split("\n")
            parts.append(first)
            for begun in others:
                yield from _line(number, parts, None)
                number += 1
                parts = [begun]
    except EOFError as error:
        lost = f"{error}; what follows is lost"
    parts.append(decoder.decode(b"", final=True))
    yield from _line(number, parts, lost and "cut off in the middle")
    if lost:
        yield f"byte {count + 1}", "", lost


def _line(number: int, parts: list[str], problem: str | None) -> Iterator[Piece]:
    line = "".join(parts)
    if number == 1:
        line = line.removeprefix("\ufeff")
    line = without_padding(line)
    if line.strip(PADDING):
        yield f"line {number}", line, problem


def _read_elements(raw_file: RawFile) -> Iterator[Piece]:
    """The elements of a file's records array; the last piece is the text that was lost."""
    text, lost = _readable_text(raw_file)
    if text:
        yield from split_elements(text, raw_file.framing, cut=lost is not None)
    if lost:
        yield f"byte {len(text.encode()) + 1}", "", lost


def _readable_text(raw_file: RawFile) -> tuple[str, str | None]:
    """Text up to the end of good data, and the loss after it (None: nothing)."""
    data = bytearray()
    lost = None
    try:
        for chunk in read_chunks(raw_file.path):
            data += chunk
    except EOFError as error:
        lost = f"{error}; what follows is lost"
    return without_padding(data.decode("utf-8-sig", errors="replace")), lost
