"""One file of a source, and the framing of its records."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date


@dataclass(frozen=True)
class RawFile:
    """One file of a source.

    ``day``: the day its path names, None for undated paths. ``framing``: ``lines``, or the name of
    the array that holds the records (``""`` for a bare array). ``header``: first line of a text
    file with named columns, empty for text without such a line. ``fault``: the reason why no record
    of a text file can be understood, None for most files. ``damage``: the reason why the engine
    must not read the file, None for a good one. ``wrapper``: the member that wraps each record,
    None without one. ``per_line``: whether every line is a document of its own with the array.
    ``refused``: the reason why the file must not be opened, None for nearly every file. ``size``:
    bytes on the disk. ``modified``: the time of its last change in nanoseconds, None if the store
    does not tell it.
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
    modified: int | None = field(default=None, compare=False, repr=False)
