"""Sensitive content that leaves in steps: collected, staged, packed, sent, cleaned up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from models.detectors.settings import DetectorSettings
from models.detectors.signal import Signal
from models.features.assets import EVIDENCE_ASSETS, sensitivities
from models.features.chains import Chain, chains
from models.features.novelty import trust_after
from models.features.people import directory_ids
from models.features.rows import active_or_in, each_row, log_days
from models.features.settings import Number, Whole
from models.features.takings import whole_objects
from models.reasons.parts import Amount, Assets, Count, Destinations
from models.reasons.reason import Reason, Series

if TYPE_CHECKING:
    from collections.abc import Mapping

    from models.features.history import History


class StagingSettings(DetectorSettings):
    """Settings of staging.yml."""

    chain_days: Whole
    least_steps: Whole
    of_mates: Number
    settle_days: Whole
    min_objects: Whole


def score(history: History, settings: StagingSettings) -> list[Signal]:
    """(steps − 2) × rarity × join × sensitivity ÷ 5 × log2(1 + objects); higher is riskier.

    Of an identity's chains (:mod:`models.features.chains`) the one with the highest value counts.
    Rarity is 1 ÷ (1 + earlier weeks with a chain at the place)², times ``of_mates`` if others of
    ours used the place on earlier days. Each of those weeks was scored itself, so a rehearsal hides
    nothing. Row 30d for everyone, 0 for those without a chain that went on today. Fails where the
    content goes through a disk that no log tells of.
    """
    found = chains(history, int(settings.chain_days), int(settings.least_steps))
    kinds = history.steps.groupby("user_id")["user_kind"].min()
    acting = pd.DataFrame(
        [(user, str(kinds[user])) for user in sorted(found)], columns=["user_id", "user_kind"]
    )
    weight = sensitivities(history.context)
    trust = float(trust_after(log_days(history), settings.settle_days))
    shared = float(settings.of_mates)
    known, used = set(history.assets.index), _users_of_places(history)
    rows: list[Signal] = []
    for user, kind in each_row(active_or_in(history, acting)):
        best, value = None, 0.0
        for chain in found.get(user, ()):
            others = used.get(chain.place, set()) - {user}
            one = trust * _value(chain, weight) * (shared if others else 1.0)
            if best is None or one > value:
                best, value = chain, one
        rows.append(_describe(user, kind, best, value, known))
    return rows


def _value(chain: Chain, weight: Mapping[str, float]) -> float:
    sensitivity = max((weight.get(asset, 0.0) for asset in chain.assets), default=0.0)
    rare = 1 / (1 + chain.weeks) ** 2
    steps = len(chain.steps) - 2
    return float(steps * rare * chain.joined * sensitivity / 5 * np.log2(1 + chain.objects))


def _users_of_places(history: History) -> dict[str, set[str]]:
    """Identities of the directory that used each place on earlier days with success."""
    people = directory_ids(history.context)
    users: dict[str, set[str]] = {}
    for user, place in zip(history.places["user_id"], history.places["asset_id"], strict=True):
        if str(user) in people:
            users.setdefault(str(place), set()).add(str(user))
    return users


def _describe(user: str, kind: str, chain: Chain | None, value: float, known: set[str]) -> Signal:
    if chain is None:
        return Signal(user, kind, "30d", 0.0, 0.0, 0.0, "objects", Reason("staged_nothing"))
    said = {
        "pack": Reason("packed_it"),
        "send": Reason("sent_it"),
        "clean": Reason("cleaned_up"),
    }
    later = tuple(said[step] for step in chain.steps if step in said)
    reason = Reason(
        "staged",
        objects=Amount(chain.objects, "objects"),
        assets=Assets(chain.assets[:EVIDENCE_ASSETS]),
        place=Destinations((chain.place,)),
        later=Series(", ", later) if later else None,
        weeks=Count(float(chain.weeks)),
    )
    observed = float(whole_objects(np.array([chain.objects]), np.array([value]))[0])
    named = [asset for asset in (*chain.assets, chain.place) if asset in known]
    assets = list(dict.fromkeys(named))[:EVIDENCE_ASSETS]
    return Signal(user, kind, "30d", value, observed, 0.0, "objects", reason, assets)
