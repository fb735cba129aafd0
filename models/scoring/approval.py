"""How much of the evidence a ticket covers."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from models.scoring.circumstances import Circumstances


def approved_share(
    entity: str, assets: Sequence[str], facts: Circumstances
) -> tuple[float, list[str]]:
    """Part of the evidence that approvals cover (the k-th asset weighs 1/k²), and the tickets."""
    rules = facts.approvals.get(entity, ())
    if not rules or not assets:
        return 0.0, []
    covered, tickets, whole = 0.0, set(), 0.0
    for rank, asset in enumerate(assets, start=1):
        whole += 1 / rank**2
        sample = facts.patterns.get(asset, f"{asset.rstrip('/')}/*" if "://" in asset else asset)
        # A pattern's own text is a sample of what it covers: its stars match the approval's stars.
        fits = [ticket for ticket, pattern in rules if _covers(pattern, sample)]
        if fits:
            covered += 1 / rank**2
            tickets.add(fits[0])
    return covered / whole, sorted(tickets)


def _covers(pattern: str, sample: str) -> bool:
    trimmed = sample.removesuffix("/*")
    return fnmatchcase(sample, pattern) or fnmatchcase(trimmed, pattern)
