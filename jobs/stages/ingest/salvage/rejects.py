"""A day's rejects, grouped so that any number of them takes bounded memory."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

from jobs.platform.terminal_text import printable
from jobs.stages.ingest.formats import LOG_FORMATS
from jobs.stages.ingest.salvage.records import (
    RawRecord,
    scrub,
)
from schemas.formats.field_map import STEP, field_map
from schemas.sources import Source

Reject = tuple[str, str, str, str, str, str | None, int | None]
"""Source, format, file, position, reason, line, and the number of its records (None: one)."""
MOST_GROUPS = 1000
MOST_KINDS = 100
"""Most kinds of reasons of a source that are counted separately."""
OTHER_REASONS = "other reasons"
NUMBERS = "[0-9][0-9,]*"
NAME = re.compile(r'"(\w{1,64})"[ ]*:')
MOST_NAMED_CHARS = 100_000
"""Most characters of a record in which names of fields are looked for."""
GROUP = ("source", "problem", "timed", "late_file", "whole")
KEY = ("file_crc", "file_chars", "place", "digest", "reason")


class Group(NamedTuple):
    """Bad staging rows of one source and problem; numbers in the problem are written `N`.

    ``timed``: their time is known. ``late_file``: their files belong to a later day. ``whole``:
    each is a whole document without known elements.
    """

    source: str
    problem: str
    timed: bool
    late_file: bool
    whole: bool

    @property
    def of_this_day(self) -> bool:
        """Whether the rows belong to the day of the run.

        A bad record belongs to the day of its time, or to its file's day if the time is unknown.
        """
        return self.timed or not self.late_file


def known_names(text: str, format_id: str) -> str:
    """The fields of a JSON record that the format's map knows, damaged or not; no value."""
    fields = field_map(format_id)
    known = {step.strip('"[]') for path in fields.used + tuple(fields.ignored | fields.open)
             for step in STEP.findall(path)}  # fmt: skip
    found = dict.fromkeys(NAME.findall(text[:MOST_NAMED_CHARS]))
    return f"fields: {', '.join(name for name in found if name in known) or 'none'}"


@dataclass
class Rejects:
    """The rejects of a day: all are counted; of each source and kind of reason ``most`` are kept.

    ``chars``: characters kept of each line. ``elsewhere``: bad records of other days, by source.
    """

    day: date
    most: int
    chars: int
    kept: dict[tuple[str, str], list[Reject]] = field(default_factory=dict)
    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    elsewhere: Counter[str] = field(default_factory=Counter)

    def add(self, source: Source, record: RawRecord, problem: str, timed: bool) -> None:
        """Add a bad record.

        Python words the reason for text that is not JSON, so that engines agree on it.
        """
        if not timed and record.day not in (None, self.day):
            self.elsewhere[source.name] += 1
            return
        reason = record.problem or problem
        kept = self.kept.setdefault((source.name, self._count(source, reason, 1)), [])
        if len(kept) < self.most:
            line = self._line(source, record.text)
            place = (printable(record.file), record.position)
            kept.append((source.name, source.format, *place, reason, line, None))

    def add_uncollected(self, source: Source, group: Group, count: int) -> None:
        """Add bad records that the engine has only counted."""
        if not group.of_this_day:
            self.elsewhere[source.name] += count
        elif count > 0:
            self._count(source, group.problem, count)

    def rows(self) -> list[Reject]:
        """Rows of ``rejects``, sorted; rejects only counted share a row for each kind of reason."""
        rows = [reject for rejects in self.kept.values() for reject in rejects]
        for (source, format_id, kind), count in self.counts.items():
            more = count - len(self.kept.get((source, kind), ()))
            if more:
                place = ("*", f"all others: {kind}")
                rows.append((source, format_id, *place, f"{more:,} more: {kind}", None, more))
        return sorted(rows, key=lambda row: row[:5])

    def by_source(self) -> Counter[str]:
        """Number of rejected records of each source."""
        found: Counter[str] = Counter()
        for (source, _, _), count in self.counts.items():
            found[source] += count
        return found

    def _line(self, source: Source, text: str) -> str:
        """The beginning of a record's text, or the known names in it if it holds private text."""
        if not LOG_FORMATS[source.format].private_text:
            return scrub(text, self.chars)
        return known_names(text, source.format)[: self.chars]

    def _count(self, source: Source, reason: str, count: int) -> str:
        """Count rejects; returns the kind of their reason, which has no numbers in it."""
        kind = re.sub(NUMBERS, "N", reason)
        key = (source.name, source.format, kind)
        if key not in self.counts:
            known = sum(1 for name, _, _ in self.counts if name == source.name)
            kind = kind if known < MOST_KINDS else OTHER_REASONS
        self.counts[source.name, source.format, kind] += count
        return kind
