"""What the settings of all detectors share.

Each detector has a model of its own beside its ``score``; default, unit and effect of each setting
are in the detector's yml.
"""

from __future__ import annotations

import hashlib
import json
from typing import ClassVar

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
    """16 hexadecimal digits that tell whether two signals were made with the same settings."""
    text = json.dumps(settings.model_dump(), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_CHARACTERS]
