"""A few people read nearly disjoint parts that together complete an artefact."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.detectors.settings import DetectorSettings
from models.detectors.signal import Signal
from models.features.assets import listed_assets
from models.features.coverage import Objects, load_objects
from models.features.novelty import trust_after
from models.features.people import teams
from models.features.rows import active_kinds, log_days
from models.features.settings import Number, Whole
from models.features.strangeness import facts_names
from models.reasons.parts import Assets, Count, Identities, Share
from models.reasons.reason import Reason

if TYPE_CHECKING:
    from models.features.history import History

Reads = NDArray[np.bool_]
DAYS = 30


class CollusionSettings(DetectorSettings):
    """Settings of collusion.yml."""

    most_people: Whole
    most_share: Number
    least_share: Number
    most_overlap: Number
    own_team: Number
    least_objects: Whole
    settle_days: Whole
    min_share: Number


def score(history: History, settings: CollusionSettings) -> list[Signal]:
    """Largest over the artefacts read today of union × z of its disjointness; higher is riskier.

    For each person a group is grown greedily, up to ``most_people``, by whoever raises this product
    most; each gets the best of the groups it is in. z compares the union with the union of equally
    many objects that each draws at random. Only people count, no services, and only those who have
    read at most ``most_share`` themselves; reads begun within 30 days count. The own team's
    artefacts weigh ``own_team``. Fails for parts that overlap on purpose.
    """
    kinds = active_kinds(history)
    objects = load_objects(history)
    if not len(objects.touched(1)):
        return []
    owners = listed_assets(history.context)["owner_team"].to_dict()
    declared, names = teams(history.context), facts_names(history)
    trust = float(trust_after(log_days(history), settings.settle_days))
    best: dict[str, Signal] = {}
    for code, people, reads, today in _parts(objects, kinds, settings):
        asset, total = str(objects.assets[code]), max(1.0, float(objects.totals[code]))
        for number in np.flatnonzero(today):
            group = grow_group(reads, int(number), total, settings)
            members = [str(objects.users[people[member]]) for member in group]
            union = int(reads[group].any(axis=0).sum())
            share = min(1.0, union / total)
            value = 0.0
            if len(group) > 1:
                owner = owners.get(asset)
                # An unknown team is nobody's own.
                owned = np.mean([bool(owner) and declared.get(m) == owner for m in members])
                familiar = 1 - (1 - settings.own_team) * float(owned)
                size = min(1.0, union / max(1.0, settings.least_objects))
                apart = max(0.0, disjointness(reads[group], total))
                value = trust * familiar * size * share * apart
            # Whoever completes another's group is as much of it as the one it grew from.
            for member, user in zip(group, members, strict=True):
                if not today[member] or (user in best and best[user].statistic >= value):
                    continue
                others = sorted(set(members) - {user})
                reason = _reason(names.get(asset, asset), others, share, union)
                alone = min(1.0, float(reads[member].sum()) / total)
                best[user] = Signal(
                    entity=user,
                    user_kind=kinds[user],
                    window="30d",
                    statistic=value,
                    observed=share,
                    expected=alone,
                    unit="share",
                    reason=reason,
                    asset_ids=[asset],
                    related_users=others,
                )
    return [best[user] for user in sorted(best)]


def _reason(name: str, others: list[str], share: float, union: int) -> Reason:
    if not others:
        return Reason("nobody_completes", asset=Assets((name,)))
    return Reason(
        "parts_complete",
        people=Count(len(others) + 1),
        asset=Assets((name,)),
        share=Share(share),
        days=Count(DAYS),
        objects=Count(union),
        others=Identities(tuple(others)),
    )


def _parts(
    objects: Objects, kinds: Mapping[str, str], settings: CollusionSettings
) -> list[tuple[int, NDArray[Any], Reads, Reads]]:
    """Per artefact read today: its code, people (codes), their reads (people × objects), today."""
    rows = objects.rows
    service = objects.kinds == "service"
    first = rows.groupby(["pair", "object"])["ago"].transform("max")
    rows = rows[(first < DAYS) & ~service[rows["user"].to_numpy()]]
    today = set(rows.loc[rows["ago"] == 0, "asset"])
    known = np.array([str(user) in kinds for user in objects.users], dtype=bool)
    parts = []
    for code, part in rows[rows["asset"].isin(today)].groupby("asset"):
        person, people = pd.factorize(part["user"], sort=True)
        thing, things = pd.factorize(part["object"], sort=True)
        reads = np.zeros((len(people), len(things)), dtype=bool)
        reads[person, thing] = True
        total = max(1.0, float(objects.totals[code]))
        share = reads.sum(axis=1) / total
        fits = (share <= settings.most_share) & (share >= settings.least_share)
        if fits.sum() == 0:
            continue
        acted = np.zeros(len(people), dtype=bool)
        acted[person[part["ago"].to_numpy() == 0]] = True
        acted &= known[np.asarray(people)]
        parts.append((int(code), np.asarray(people)[fits], reads[fits], acted[fits]))
    return parts


def grow_group(reads: Reads, start: int, total: float, settings: CollusionSettings) -> list[int]:
    """Rows of ``reads`` (people × objects) that complement ``start``, itself first.

    Each step takes whoever raises union × disjointness most, while it rises; nobody who shares more
    than ``most_overlap`` of the own objects with the group.
    """
    group, union, value = [start], reads[start].copy(), 0.0
    own = reads.sum(axis=1)
    while len(group) < settings.most_people:
        shared = (reads & union).sum(axis=1)
        fits = shared <= settings.most_overlap * own
        fits[group] = False
        candidates = np.flatnonzero(fits)
        if len(candidates) == 0:
            break
        values = [
            (union.sum() + own[c] - shared[c])
            / total
            * disjointness(reads[[*group, int(c)]], total)
            for c in candidates
        ]
        best = int(np.argmax(values))
        if values[best] <= value:
            break
        group.append(int(candidates[best]))
        union |= reads[candidates[best]]
        value = float(values[best])
    return group


def disjointness(reads: Reads, total: float) -> float:
    """z of the union's size against independent draws of as many objects each (people × objects).

    The mean and variance of the number of empty cells in an occupancy problem whose groups draw
    without replacement (Feller, An Introduction to Probability Theory, vol. 1, IV.2).
    """
    counts = reads.sum(axis=1).astype(np.float64)
    total = max(total, float(reads.any(axis=0).sum()), 2.0)
    missed = np.prod(1 - counts / total)
    both = np.prod((total - counts) * np.maximum(total - counts - 1, 0) / (total * (total - 1)))
    variance = total * missed + total * (total - 1) * both - (total * missed) ** 2
    expected = total * (1 - missed)
    return float((reads.any(axis=0).sum() - expected) / np.sqrt(max(variance, 0.0) + 1.0))
