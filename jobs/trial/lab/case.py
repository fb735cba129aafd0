"""A planted case and the evidence it leaves."""

from __future__ import annotations

from dataclasses import dataclass, field


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
    evidence: dict[int, dict[str, float]] = field(default_factory=dict)
    event_ids: list[str] = field(default_factory=list)
    seen: set[tuple[str, str]] = field(default_factory=set)

    def note(self, t: float, day: int, event_id: str, asset: str, item: str, moved: int) -> None:
        """Count one event of this case; `item` is the object taken, empty where none was."""
        e = self.evidence.setdefault(
            day, {"events": 0, "objects": 0, "bytes": 0, "from": t, "to": t}
        )
        e["events"] += 1
        e["bytes"] += moved
        e["from"], e["to"] = min(e["from"], t), max(e["to"], t)
        if item and (asset, item) not in self.seen:
            self.seen.add((asset, item))
            e["objects"] += 1
        if self.is_incident:
            self.event_ids.append(event_id)
