"""``exfilwatch sources``: which facts each log holds and how to switch it on, as text."""

from __future__ import annotations

import difflib
import textwrap
from collections.abc import Iterator

import yaml

from jobs.platform.errors import InputError
from jobs.platform.terminal_text import table
from jobs.stages.ingest.formats import LOG_FORMATS
from schemas.formats import FORMATS, Answer
from schemas.formats.field_map import field_map
from schemas.sources import Mapping

QUESTIONS = {
    "person": "who acted",
    "bytes": "bytes out",
    "downloads": "downloads",
    "address": "source address",
    "object": "asset, object",
}
"""Keys of an entry that hold an answer → headings."""
COMMAND = "$ "
INDENT = "  "
WIDEST = 100


def as_overview() -> str:
    """A line for each format: which facts the log holds, once it is switched on, and its title."""
    rows = [
        [name, *(getattr(form, question).holds for question in QUESTIONS), form.title]
        for name, form in FORMATS.items()
    ]
    return table(["format", *QUESTIONS, "log"], rows)


def as_entry(format_id: str, width: int) -> str:
    """The description of one format, wrapped. Raises InputError for an unknown format."""
    if format_id not in FORMATS:
        near = difflib.get_close_matches(format_id, FORMATS, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise InputError([f"unknown format {format_id!r}{hint} (known: {', '.join(FORMATS)})"])
    return "\n".join(_lines(format_id, min(width, WIDEST)))


def _lines(format_id: str, width: int) -> Iterator[str]:
    form = FORMATS[format_id]
    yield f"{format_id}: {form.title}"
    yield ""
    yield from _wrapped("one record is", form.record, width)
    yield from _wrapped("files", form.file, width)
    yield from _wrapped("fields", _fields(format_id), width)
    yield ""
    yield "Facts in the log, once it is switched on"
    for question, heading in QUESTIONS.items():
        answer: Answer = getattr(form, question)
        yield from _wrapped(heading, f"{answer.holds}. {answer.how}", width)
    yield from _wrapped("delivery", form.delivery, width)
    for limit in form.limits:
        yield from _wrapped("limit", limit, width)
    yield ""
    yield "Switching it on"
    for step in form.enable:
        if step.startswith(COMMAND):
            yield f"{INDENT * 2}{step.removeprefix(COMMAND)}"
        else:
            yield from _wrapped("", step, width)
    yield from _wrapped("cost", form.cost, width)
    yield ""
    yield "In the config"
    source = {"name": form.example["name"], "format": format_id, **form.example}
    snippet = yaml.safe_dump({"sources": [source]}, sort_keys=False, width=WIDEST * 10)
    yield textwrap.indent(snippet.rstrip(), INDENT)
    if format_id == "mapped":
        yield ""
        yield "Keys of mapping"
        for key, field in Mapping.model_fields.items():
            yield from _wrapped(key, field.description or "", width)


def _wrapped(heading: str, text: str, width: int) -> list[str]:
    first = f"{INDENT}{heading:<16}" if heading else INDENT
    return textwrap.wrap(
        text,
        width,
        initial_indent=first,
        subsequent_indent=" " * len(first),
        # People copy paths, options and names of settings, so these are never broken.
        break_long_words=False,
        break_on_hyphens=False,
    )


def _fields(format_id: str) -> str:
    if format_id == "mapped":
        return "those that `mapping` names; all others are ignored"
    known, place = field_map(format_id), f"(schemas/formats/{format_id}.yml)"
    rows = LOG_FORMATS[format_id].text
    if rows and rows.headerless:
        return f"{len(known.used)} parts of a line are read, {len(known.ignored)} are not {place}"
    return (
        f"{len(known.used)} are read, {len(known.ignored)} known and ignored {place}; "
        "ingest reports all others"
    )
