"""What the settings of all detectors share.

Each detector has a model of its own beside its ``score``; default, unit and effect of each setting
are in the detector's yml.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, ClassVar

from models.features.settings import Flag, Number
from schemas.settings import Settings

HASH_CHARACTERS = 16


class DetectorSettings(Settings):
    """Settings that every detector has.

    ``min_UNIT`` of a detector is the amount below which its points shrink in proportion.
    ``proof_UNIT`` is the amount from which a signal about the most sensitive assets is near-proof.
    """

    certain: ClassVar[bool] = False
    """Whether a statistic above 0 is a fact, whatever the p-value."""
    together: ClassVar[bool] = False
    """Whether it tells of several people by itself, so that colleagues who do the same excuse
    nobody."""

    approvable: ClassVar[bool] = True
    """Whether an approval forgives it. An approval says which assets, never from where."""

    enabled: Flag
    """Whether it runs."""
    weight: Number
    """Factor on its points."""

    def least(self, unit: str) -> float:
        """``min_UNIT``; 0 where the detector has none for the unit."""
        return float(getattr(self, f"min_{unit}", 0.0))

    def proves(self, unit: str, observed: float) -> bool:
        """Whether the amount reaches ``proof_UNIT``; False where the detector has none."""
        least = getattr(self, f"proof_{unit}", None)
        return least is not None and observed >= least


def settings_hash(settings: DetectorSettings) -> str:
    """16 hexadecimal digits that tell whether two statistics were made with the same settings.

    Settings that weigh a statistic afterwards do not count: a new weight keeps the reference.
    """
    made = settings.model_dump()
    weighing = {"enabled", "weight"}
    weighing |= {name for name in made if name.startswith(("min_", "proof_"))}
    return _hash({name: value for name, value in made.items() if name not in weighing})


def scoring_hash(rules: Settings, settings: Mapping[str, DetectorSettings]) -> str:
    """16 hexadecimal digits that tell whether two findings were scored with the same settings.

    ``ordinary_share`` does not count: it cuts the queue and weighs nothing.
    """
    detectors = {name: each.model_dump() for name, each in settings.items()}
    return _hash({"scoring": rules.model_dump(exclude={"ordinary_share"}), "detectors": detectors})


def _hash(values: Mapping[str, Any]) -> str:
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_CHARACTERS]
