"""One file of a source, and how its records are framed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date


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
