"""A few people read nearly disjoint parts that together complete an artefact."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.detectors.settings import DetectorSettings
from models.detectors.signal import MOST_RELATED, Signal
from models.features.assets import listed_assets
from models.features.coverage import total_objects
from models.features.novelty import trust_after
from models.features.people import teams
from models.features.rows import active_kinds, each_part, explode_numbers, log_days, recent
from models.features.settings import Number, Whole
from models.features.strangeness import facts_names
from models.features.strangers import parties
from models.reasons.parts import Assets, Count, Identities, Share
from models.reasons.reason import Reason

if TYPE_CHECKING:
    from models.features.history import History

Reads = NDArray[np.bool_]
DAYS = 30
MOST_READERS = 300
"""People of one artefact that are compared with each other."""


class CollusionSettings(DetectorSettings):
    """Settings of collusion.yml."""

    together = True

    most_people: Whole
    most_share: Number
    least_share: Number
    most_overlap: Number
    own_team: Number
    least_objects: Whole
    settle_days: Whole
    min_share: Number
    proof_share: Number


def score(history: History, settings: CollusionSettings) -> list[Signal]:
    """Largest over the artefacts read today of union × z of its disjointness; higher is riskier.

    For each person a group is grown greedily, up to ``most_people``, by whoever raises this product
    most; each gets the best of the groups it is in. z compares the union with the union of equally
    many objects that each draws at random. A person's own services, and strangers of one site, are
    one of these people (:func:`models.features.strangers.parties`); other services do not count.
    Only those count who have read at most ``most_share`` themselves; reads begun within 30 days
    count. The own team's artefacts weigh ``own_team``. Fails for parts that overlap on purpose.
    """
    kinds = active_kinds(history)
    parts = _parts(history, kinds, settings)
    owners = listed_assets(history.context)["owner_team"].to_dict()
    declared, names = teams(history.context), facts_names(history)
    trust = float(trust_after(log_days(history), settings.settle_days))
    best: dict[str, Signal] = {}
    for asset, total, people, reads, today, party in parts:
        together = _united(reads, party)
        for first in np.unique(party[today]):
            joined = grow_group(together, int(first), total, settings)
            group = np.flatnonzero(np.isin(party, joined))
            members = [str(people[member]) for member in group]
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
                    related_users=others[:MOST_RELATED],
                )
    return [best[user] for user in sorted(best)]


def _united(reads: Reads, party: NDArray[Any]) -> Reads:
    """What the parties read, parties × objects."""
    found = np.zeros((int(party.max(initial=-1)) + 1, reads.shape[1]), dtype=bool)
    np.logical_or.at(found, party, reads)
    return found


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
    history: History, kinds: Mapping[str, str], settings: CollusionSettings
) -> list[tuple[str, float, NDArray[Any], Reads, Reads, NDArray[Any]]]:
    """Per artefact read today: id, objects, people, their reads (people × objects), today, party.

    Artefacts that nobody who fits has read today can give nobody a signal and are left out.

    Of more than MOST_READERS people those with the largest shares are kept: a few who complete an
    artefact hold large shares of it.
    """
    columns = ["user_id", "user_kind", "asset_id", "asset_objects", "recent_today", "new_objects"]
    rows = recent(history.first_reads, history.day, columns, DAYS)
    whose = parties(history, rows["user_id"].unique())
    belongs = rows["user_id"].map(whose)
    own = belongs.isin(set(belongs[belongs != rows["user_id"]]))
    rows = rows[(rows["user_id"] != "") & ((rows["user_kind"] != "service") | own)]
    today = set(rows.loc[(rows["ago"] == 0) & (rows["recent_today"] > 0), "asset_id"])
    rows = rows[rows["asset_id"].isin(today)].reset_index(drop=True)
    rows["total"] = total_objects(rows, history)
    rows["acted"] = (rows["ago"] == 0) & (rows["recent_today"] > 0)
    rows["user"], users = pd.factorize(rows["user_id"], sort=True)
    there = np.array([str(user) in kinds for user in users], dtype=bool)
    row, things = explode_numbers(rows["new_objects"])
    found = pd.DataFrame(
        {"asset_id": rows["asset_id"].to_numpy()[row], "row": row, "thing": things}
    )
    objects = dict(each_part(found, "asset_id", ["row", "thing"]))
    user = rows["user"].to_numpy()
    parts = []
    for asset, part in each_part(rows, "asset_id", ["user", "total", "acted"]):
        if asset not in objects:
            continue
        people = np.unique(part["user"])
        names, thing = np.unique(objects[asset]["thing"], return_inverse=True)
        person = np.searchsorted(people, user[objects[asset]["row"]])
        pairs = np.unique(person * len(names) + thing)
        held = np.bincount(pairs // len(names), minlength=len(people))
        total = float(part["total"].max())
        share = held / total
        party = np.unique([whose[str(name)] for name in users[people]], return_inverse=True)[1]
        fits = share <= settings.most_share
        least = np.bincount(party, np.where(fits, share, 0.0))[party] >= settings.least_share
        kept = np.flatnonzero(fits & least & (held > 0))
        kept = np.sort(kept[np.argsort(-share[kept], kind="stable")[:MOST_READERS]])
        today = np.isin(people, part["user"][part["acted"]]) & there[people]
        if not today[kept].any():
            continue
        place = np.full(len(people), -1)
        place[kept] = np.arange(len(kept))
        mine = place[pairs // len(names)]
        reads = np.zeros((len(kept), len(names)), dtype=bool)
        reads[mine[mine >= 0], (pairs % len(names))[mine >= 0]] = True
        party = np.unique(party[kept], return_inverse=True)[1]
        parts.append((asset, total, np.asarray(users)[people[kept]], reads, today[kept], party))
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
        size = union.sum() + own[candidates] - shared[candidates]
        counts = np.column_stack(
            [np.broadcast_to(own[group], (len(candidates), len(group))), own[candidates]]
        )
        values = size / total * surplus(counts, size, total)
        best = int(np.argmax(values))
        if values[best] <= value:
            break
        group.append(int(candidates[best]))
        union |= reads[candidates[best]]
        value = float(values[best])
    return group


def disjointness(reads: Reads, total: float) -> float:
    """:func:`surplus` of one group: ``reads`` of its people × objects."""
    union = reads.any(axis=0).sum()
    return float(surplus(reads.sum(axis=1)[None, :], np.array([union]), total)[0])


def surplus(counts: NDArray[Any], union: NDArray[Any], total: float) -> NDArray[np.float64]:
    """z of each group's union against independent draws of as many objects by each person.

    ``counts``: objects of each person, (groups, people); ``union``: (groups,); ``total``: objects
    of the artefact. The mean and variance of the number of empty cells in an occupancy problem
    whose groups draw without replacement (Feller, An Introduction to Probability Theory, vol. 1,
    IV.2).
    """
    drawn = counts.astype(np.float64)
    whole = np.maximum(np.maximum(total, union.astype(np.float64)), 2.0)
    n = whole[:, None]
    missed = np.prod(1 - drawn / n, axis=1)
    both = np.prod((n - drawn) * np.maximum(n - drawn - 1, 0) / (n * (n - 1)), axis=1)
    variance = whole * missed + whole * (whole - 1) * both - (whole * missed) ** 2
    expected = whole * (1 - missed)
    return np.asarray((union - expected) / np.sqrt(np.maximum(variance, 0.0) + 1.0))
