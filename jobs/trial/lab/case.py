"""A planted case and the evidence it leaves."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class DayEvidence:
    """Evidence of a case on one day: first and last event (epoch seconds), new objects, bytes."""

    first: float
    last: float
    events: int = 0
    objects: int = 0
    moved: int = 0


@dataclass
class Case:
    """A planted incident or look-alike and the evidence it leaves."""

    case_id: str
    kind: str
    is_incident: bool
    user_ids: list[str]
    asset_ids: list[str]
    description: str
    knobs: dict[str, object] = field(default_factory=dict)
    total: int | None = None
    evidence: dict[int, DayEvidence] = field(default_factory=dict)
    event_ids: list[str] = field(default_factory=list)
    seen: set[tuple[str, str]] = field(default_factory=set)

    def note(self, t: float, day: int, event_id: str, asset: str, item: str, moved: int) -> None:
        """Count one event of this case; `item` is the taken object, or empty."""
        e = self.evidence.setdefault(day, DayEvidence(first=t, last=t))
        e.events += 1
        e.moved += moved
        e.first, e.last = min(e.first, t), max(e.last, t)
        if item and (asset, item) not in self.seen:
            self.seen.add((asset, item))
            e.objects += 1
        if self.is_incident:
            self.event_ids.append(event_id)
