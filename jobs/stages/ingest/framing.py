"""The framing of a file's records, found in its first kilobytes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date

from jobs.platform.stores import file_state
from jobs.stages.ingest.formats import LOG_FORMATS
from jobs.stages.ingest.formats.log_format import LogFormat
from jobs.stages.ingest.gzip_files import HEAD_BYTES, is_packed, read_head, too_large
from jobs.stages.ingest.raw_file import RawFile
from schemas.sources import Source

BOM = b"\xef\xbb\xbf"
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]]')
COLON = re.compile(r"\s*:\s*")
MISREAD_PATH = re.compile(
    r"[*?\[\]{}\\\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]|/[^/]*:[^/]*$|/[._][^/]*$"
)
"""Paths that engines take for a pattern, refuse, or skip because the file counts as hidden.

Python reads a byte of a name that is not UTF-8 as half of a surrogate pair.
"""


def inspect(path: str, day: date | None, source: Source, max_bytes: int) -> RawFile | None:
    """Framing of one file; None for a file without content."""
    size, modified = file_state(path)
    if size == 0:
        return None
    packed = is_packed(path)
    head, damage = read_head(path, most_padding=max_bytes)
    if not head and damage is None and not too_large(path, max_bytes):
        return None
    if packed != path.endswith(".gz"):
        damage = damage or (
            "packed although not named .gz" if packed else "named .gz although not packed"
        )
    if MISREAD_PATH.search(path):
        damage = damage or "a path that engines misread"
    damage = damage or too_large(path, max_bytes)
    if head.startswith(BOM):
        damage = damage or "byte order mark"
        head = head.removeprefix(BOM)
    text = head.decode("utf-8", errors="replace")
    form = LOG_FORMATS[source.format]
    framing, header = _framing(text, form, source)
    fault = None
    if header and len(head) == HEAD_BYTES and text.endswith(header):
        fault = f"the first line is longer than {HEAD_BYTES:,} bytes, too long to name columns"
    elif header is not None and form.text:
        fault = form.text.header_problem(header, source)
    return RawFile(
        path,
        day,
        framing,
        header,
        fault,
        damage or fault,
        _wrapper(text, framing, form),
        form.json is not None and framing in form.json.batches and _begins_with_a_document(text),
        size=size,
        modified=modified,
    )


def _framing(head: str, form: LogFormat, source: Source) -> tuple[str, str | None]:
    """Name of the array that holds the records, or ``lines``; and the header of lines, if any."""
    for array in form.envelopes:
        if _array_start(head, array) is not None:
            return array, None
    if form.text is None or form.text.is_json(head, source):
        return "lines", None
    if form.text.headerless:
        return "lines", ""
    if form.text.given_header and (given := form.text.given_header(head, source)):
        return "lines", given
    first = next((line for line in head.split("\n") if line.strip()), "")
    return "lines", first.rstrip("\r")


def _array_start(head: str, name: str) -> int | None:
    """Place of the ``[`` of the top-level array ``name`` in a JSON document; None without one."""
    if name == "":
        start = len(head) - len(head.lstrip())
        return start if head.startswith("[", start) else None
    return next(
        (at for found, at in members(head) if found == name and head.startswith("[", at)), None
    )


def _wrapper(head: str, framing: str, form: LogFormat) -> str | None:
    """Name of the wrapper of a file's first record. Other records may have another one."""
    start = None if framing == "lines" else _array_start(head, framing)
    record = head if start is None else head[start + 1 :]
    return form.wrapper_of(name for name, _ in members(record))


def _begins_with_a_document(head: str) -> bool:
    """Whether the first line is a whole document, or longer than the text."""
    first, line_break, _ = head.lstrip().partition("\n")
    try:
        json.loads(first)
    except (ValueError, RecursionError):
        return not line_break
    return True


def members(text: str) -> Iterator[tuple[str, int]]:
    """Members of the JSON object that the text begins with: name, and place of the value.

    The text may be broken or cut off after any member.
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
