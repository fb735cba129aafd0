"""Signals of a day, and what scoring makes of them."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pandas as pd

from models.detectors import describe, detector_names, detector_settings
from models.reasons.reason import Reason, dump_reasons
from models.scoring.circumstances import Circumstances, gather
from models.scoring.points import ScoredEntity, score_entities
from models.scoring.queue import ranked_for_review
from schemas.config import Scoring, Suppression
from tests.worlds import histories

DAY = date(2026, 9, 10)
A_DAY = timedelta(days=1)
SETTINGS = detector_settings({})
FAMILIES = {name: describe(name).family for name in detector_names()}
RULES = Scoring(
    calibration_days=28,
    points_cap=6,
    sensitivity_weights={1: 0.3, 2: 0.6, 3: 1.0, 4: 1.4, 5: 1.8},
    unknown_sensitivity_weight=0.7,
    min_score=5,
    ordinary_share=0.4,
    approved_assets=20,
    approved_days=30,
    half_life_days=5,
)
NOTHING_SHOWN = pd.DataFrame(
    columns=["day", "entity", "detector", "window", "statistic", "asset_ids"]
)
NO_ENTRIES = pd.DataFrame(columns=["day", "entity", "evidence"])


def world() -> histories.World:
    made = histories.World()
    histories._add_assets(made)
    for user in ("u1", "u2", "u3"):
        histories._add_identity(made, user, "human", "evals")
    return made


def circumstances(
    made: histories.World | None = None,
    tenure: dict[str, float] | None = None,
    suppressions: tuple[Suppression, ...] = (),
) -> Circumstances:
    context = histories.context_of(made or world())
    return gather(DAY, context, RULES, SETTINGS, FAMILIES, suppressions, tenure or {}, reads())


def reads() -> pd.DataFrame:
    """Rows of ACCESS: ``u1`` read two checkpoints at noon."""
    noon = pd.Timestamp(DAY) + pd.Timedelta(hours=12)
    hourly = [{"hour": 12, "events": 9, "bytes": 9, "objects": 9}]
    return pd.DataFrame(
        [
            {"day": DAY, "user_id": "u1", "asset_id": asset, "first_time": noon,
             "last_time": noon, "hourly": hourly}
            for asset in ("ckpt-pretraining-1", "ckpt-pretraining-2")
        ]
    )  # fmt: skip


def signal(detector: str = "shard_coverage", entity: str = "u1", **more: Any) -> dict[str, Any]:
    """One telling signal on a frontier checkpoint."""
    units = {
        "first_access": "assets",
        "service_misuse": "novelties",
        "mass_clone": "repositories",
        "leaver": "share",
    }
    return {
        "day": DAY, "entity": entity, "user_kind": "human", "detector": detector, "window": "1d",
        "statistic": 1.0, "p_value": 1e-3, "observed": 1e13 if "burst" in detector else 99.0,
        "expected": None, "unit": units.get(detector, "bytes" if "burst" in detector else "share"),
        "reason": "had no refused attempts",
        "reason_parts": dump_reasons([Reason("refused_nothing")]),
        "asset_ids": ["ckpt-pretraining-1"], "related_users": [],
    } | more  # fmt: skip


def score(
    *signals: dict[str, Any],
    shown: pd.DataFrame = NOTHING_SHOWN,
    facts: Circumstances | None = None,
    entries: pd.DataFrame = NO_ENTRIES,
) -> list[ScoredEntity]:
    found = score_entities(pd.DataFrame(list(signals)), shown, entries, facts or circumstances())
    return ranked_for_review(found)
