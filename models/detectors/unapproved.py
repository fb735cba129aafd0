"""Sensitive content taken without an approval, or beside what the approval says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from models.detectors.settings import DetectorSettings
from models.detectors.signal import Signal
from models.features.approval import (
    approved_identity,
    asset_patterns,
    covers,
    hours_of,
    inside,
    tickets_by_user,
)
from models.features.assets import EVIDENCE_ASSETS, owner_teams
from models.features.people import teams
from models.features.rows import active_entities, each_row
from models.features.sensitivity import are_sensitive, sensitivity_shares
from models.features.settings import Number, Whole
from models.features.takings import sized_objects
from models.reasons.parts import Amount, Assets, Tickets
from models.reasons.reason import Reason
from schemas.tables.values import TAKE_CLASSES

if TYPE_CHECKING:
    from models.features.history import History


class UnapprovedSettings(DetectorSettings):
    """Settings of unapproved.yml."""

    own_team: Number
    beside: Number
    approved_assets: Number
    approved_days: Number
    min_objects: Whole


def score(history: History, settings: UnapprovedSettings) -> list[Signal]:
    """Sum over sensitive assets of log2(1 + objects) × sensitivity ÷ 5 × uncovered part, k-th 1/k.

    Higher is riskier. The uncovered part is what no approval that counts allows, by pattern, time
    and approver (see models.features.approval). Assets of the own team weigh ``own_team``, because
    nobody writes tickets for the own work. Whoever has an approval for something else, at another
    time or from somebody who may not approve weighs 1 + ``beside``. A place that holds content of a
    sensitive asset is one itself: its team and its approvals are those of the asset as well, and
    its objects count by their size. Row 1d for everyone, 0 for
    those who took nothing sensitive without approval; no rows in a lab without approvals. Fails
    where the work that needs no approval is done across teams.
    """
    if history.context.approvals.empty:
        return []
    active = active_entities(history)
    taken = _uncovered(history, settings)
    holders = _tickets(history, settings)
    groups = dict(iter(taken.groupby("user_id")))
    rows: list[Signal] = []
    for user, kind in each_row(active):
        mine = groups.get(user)
        if mine is None:
            nothing = Reason("took_nothing_unapproved")
            rows.append(Signal(user, kind, "1d", 0.0, 0.0, 0.0, "objects", nothing))
            continue
        mine = mine.sort_values(["value", "asset_id"], ascending=[False, True])
        valid, void = holders.get(user, ((), ()))
        value = float((mine["value"].to_numpy() / np.arange(1, len(mine) + 1)).sum())
        value *= 1 + float(settings.beside) * bool(valid or void)
        objects = float(mine["objects"].sum())
        assets = [str(asset) for asset in mine["asset_id"].iloc[:EVIDENCE_ASSETS]]
        reason = Reason(
            "took_unapproved",
            objects=Amount(objects, "objects"),
            assets=Assets(tuple(assets)),
            tickets=Tickets(valid) if valid else None,
            void=Tickets(void) if void else None,
        )
        rows.append(Signal(user, kind, "1d", value, objects, 0.0, "objects", reason, assets))
    return rows


def _uncovered(history: History, settings: UnapprovedSettings) -> pd.DataFrame:
    """Sensitive assets taken today: ``user_id``, ``asset_id``, ``objects``, ``value``.

    ``objects`` and ``value`` are of the part that no approval covers; rows without any are left
    out.
    """
    context, declared = history.context, teams(history.context)
    access = history.access[history.access["day"] == history.day]
    done = access[
        access["action_class"].isin(TAKE_CLASSES)
        & (access["events"] > access["failures"])
        & (access["user_id"] != "")
    ]
    done = done[are_sensitive(done, history)]
    groups = done.groupby(["user_id", "asset_id"])
    taken = groups["objects"].sum().clip(lower=1).reset_index()
    taken["sized"] = sized_objects(history, taken)
    taken["share"] = sensitivity_shares(taken, history)
    patterns, tickets = asset_patterns(context), tickets_by_user(context, settings)
    owners, records = owner_teams(context), []
    for (key, rows), row in zip(groups, each_row(taken), strict=True):
        user, asset = map(str, key)
        fits = [each for each in tickets.get(user, ()) if covers(each.pattern, asset, patterns)]
        covered = 0.0
        if fits:
            hours = hours_of(rows)
            covered = max(inside(hours, ticket) * ticket.credit for ticket in fits)
        objects = float(row.sized) * (1 - covered)
        if objects > 0:
            owner = owners.get(asset)
            own = float(settings.own_team) if owner and declared.get(user) == owner else 1.0
            value = np.log2(1 + objects) * row.share * own
            records.append((user, asset, objects, float(value)))
    return pd.DataFrame(records, columns=["user_id", "asset_id", "objects", "value"])


def _tickets(
    history: History, settings: UnapprovedSettings
) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """Ids of each identity's approvals: those that count, and those that do not; sorted."""
    counting = {
        user: {ticket.ticket_id for ticket in tickets}
        for user, tickets in tickets_by_user(history.context, settings).items()
    }
    every: dict[str, set[str]] = {}
    for row in each_row(history.context.approvals):
        user = approved_identity(row.user_id, history.context)
        every.setdefault(user, set()).add(str(row.ticket_id))
    return {
        user: (
            tuple(sorted(counting.get(user, set()))),
            tuple(sorted(ids - counting.get(user, set()))),
        )
        for user, ids in every.items()
    }
