"""Many API keys of one hand, each below its limit, that together take a model's answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from models.detectors.settings import DetectorSettings
from models.detectors.signal import MOST_RELATED, Signal
from models.features.api_keys import ApiKeys, api_keys
from models.features.novelty import trust_after
from models.features.rings import Ring, find_rings
from models.features.rows import active_entities, each_row
from models.features.settings import Number, Whole
from models.features.takings import leader_of
from models.reasons.parts import Amount, Assets, Count, Identities, Word
from models.reasons.reason import Reason

if TYPE_CHECKING:
    from models.features.history import History

USUAL_QUANTILE = 0.9


class ApiDistillationSettings(DetectorSettings):
    """Settings of api_distillation.yml."""

    together = True

    least_keys: Whole
    tie_nats: Number
    full_nats: Number
    usual_keys: Whole
    few_tokens: Whole
    inside: Number
    settle_days: Whole
    min_tokens: Whole


@dataclass(frozen=True)
class _Pool:
    """A ring's pooled answers: its identities by tokens, most first, and its value."""

    ring: Ring
    users: tuple[str, ...]
    models: tuple[str, ...]
    tokens: float
    usual: float
    value: float


def score(history: History, settings: ApiDistillationSettings) -> list[Signal]:
    """Of each ring tie × log2 of effective keys × log2(1 + tokens ÷ usual key); higher is riskier.

    A ring: :func:`models.features.rings.find_rings`, of the keys of seven days. The effective
    number of keys is the exponential of the entropy of their shares of the pooled completion
    tokens (Hill 1973) ÷ ``least_keys``, so that one large key is no ring. The usual key is the 0.9
    quantile of the others. One identity of the ring that took much and acted today has its value
    and names the others; row 7d for everyone, 0 for the others. Fails for keys that share nothing
    at all.
    """
    active = active_entities(history)
    if active.empty:
        return []
    keys = api_keys(history)
    acted = set(active["user_id"])
    trust = float(trust_after(keys.days, settings.settle_days))
    rings = find_rings(keys, settings.least_keys, settings.tie_nats, settings.usual_keys)
    pools = [_pool(keys, ring, trust, settings) for ring in rings]
    best: dict[str, _Pool] = {}
    member: dict[str, _Pool] = {}
    leaders: dict[str, str] = {}
    for pool in sorted(pools, key=lambda pool: -pool.value):
        leader = _leader(keys, pool, acted)
        if leader is not None and leader not in best:
            best[leader] = pool
        for user in pool.users:
            member.setdefault(user, pool)
            leaders.setdefault(user, leader or user)
    own = keys.facts.groupby("user_id")["tokens"].sum()
    found = []
    for user, kind in each_row(active):
        if user in best:
            found.append(_signal(user, kind, best[user]))
            continue
        tokens = float(own.get(user, 0.0))
        reason = Reason("tied_to_no_ring")
        if user in member:
            reason = Reason(
                "in_a_ring",
                keys=Count(len(member[user].ring.keys)),
                leader=Identities((leaders[user],)),
            )
        found.append(Signal(user, kind, "7d", 0.0, tokens, None, "tokens", reason))
    return found


def _leader(keys: ApiKeys, pool: _Pool, acted: set[str]) -> str | None:
    """Who leads the pool among those who acted; see :func:`leader_of`."""
    facts = keys.facts.iloc[pool.ring.keys]
    return leader_of(facts[facts["user_id"].isin(acted)].groupby("user_id")["tokens"].sum())


def _pool(keys: ApiKeys, ring: Ring, trust: float, settings: ApiDistillationSettings) -> _Pool:
    facts = keys.facts.iloc[ring.keys]
    tokens = facts["tokens"].to_numpy(np.float64)
    total = float(tokens.sum())
    outside = np.ones(len(keys.facts), dtype=bool)
    outside[ring.keys] = False
    others = keys.facts["tokens"].to_numpy(np.float64)[outside]
    usual = float(np.quantile(others, USUAL_QUANTILE)) if len(others) else 0.0
    usual = max(usual, float(settings.few_tokens))
    share = tokens[tokens > 0] / max(total, 1.0)
    effective = float(np.exp(-(share * np.log(share)).sum())) if len(share) else 1.0
    foreign = float(tokens[facts["outside"].to_numpy()].sum()) / max(total, 1.0)
    place = settings.inside + (1 - settings.inside) * foreign
    tie = min(1.0, ring.nats / max(settings.full_nats, 1e-9))
    spread = np.log2(max(1.0, effective / settings.least_keys))
    value = trust * tie * place * spread * np.log2(1 + total / usual)
    users = facts.groupby("user_id")["tokens"].sum().reset_index()
    models = facts.groupby("model")["tokens"].sum().reset_index()
    return _Pool(
        ring=ring,
        users=_most_first(users, "user_id"),
        models=_most_first(models, "model"),
        tokens=total,
        usual=usual,
        value=float(value),
    )


def _most_first(sums: pd.DataFrame, column: str) -> tuple[str, ...]:
    ordered = sums.sort_values(["tokens", column], ascending=[False, True])
    return tuple(str(value) for value in ordered[column])


def _signal(user: str, kind: str, pool: _Pool) -> Signal:
    others = tuple(one for one in pool.users if one != user)[:MOST_RELATED]
    reason = Reason(
        "leads_a_ring",
        keys=Count(len(pool.ring.keys)),
        people=Amount(len(pool.users), "identities"),
        tie=Word("tie", pool.ring.tie),
        tokens=Amount(pool.tokens, "tokens"),
        assets=Assets(pool.models),
        others=Identities(others) if others else None,
    )
    return Signal(
        entity=user,
        user_kind=kind,
        window="7d",
        statistic=pool.value,
        observed=pool.tokens,
        expected=pool.usual,
        unit="tokens",
        reason=reason,
        asset_ids=pool.models,
        related_users=others,
    )
