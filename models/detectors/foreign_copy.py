"""Content given to a place that is not ours: copied, opened to others, or written there.

Who opens an asset and who then reads it are often two. So the use of a grant speaks against its
user and against whoever opened it, and the finding of each names the other.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from models.detectors.settings import DetectorSettings
from models.detectors.signal import MOST_RELATED, Signal
from models.features.assets import (
    EVIDENCE_ASSETS,
    assets_below,
    listed_assets,
)
from models.features.grants import links_given, used_grants
from models.features.novelty import trust_after
from models.features.places import OwnPlaces, gifts, own_places
from models.features.rows import Floats, active_or_in, each_row, log_days
from models.features.sensitivity import sensitivity_shares
from models.features.settings import Number, Texts, Whole
from models.features.takings import leader_of, sensitive_of_week
from models.reasons.parts import Amount, Assets, Count, Destinations, Identities
from models.reasons.reason import Reason
from schemas.tables.values import MAX_LISTED

if TYPE_CHECKING:
    from models.features.history import History

KEYS = ["user_id", "asset_id", "action_class"]
Rows = list[dict[Hashable, Any]]
LINK = "link://signed"
USER_SHARE = 0.8
"""Part of the value that counts for the user of a grant, so that its opener leads the story: the
opener is one of ours, whom somebody can ask."""


class ForeignCopySettings(DetectorSettings):
    """Settings of foreign_copy.yml."""

    together = True

    own_accounts: Texts
    foreign: Number
    known_users: Whole
    of_shared_place: Number
    settle_days: Whole
    min_objects: Whole


@dataclass(frozen=True)
class _Strangeness:
    """How strange places are to whoever gives them something."""

    own: OwnPlaces
    foreign: float
    trust: float

    def of(self, to: str, user: str) -> float:
        """0 for our places, ``foreign`` for those that surely are not, ``trust`` for others."""
        weight = {"ours": 0.0, "unknown": self.trust, "foreign": self.foreign}
        return weight[self.own.place_is(to, user)]


def score(history: History, settings: ForeignCopySettings) -> list[Signal]:
    """log2(1 + objects) × sensitivity ÷ 5 × strangeness of the place, summed; higher is riskier.

    A place is the container or the grantee (an account, a user, everybody) that something went to.
    :meth:`models.features.places.OwnPlaces.place_is` says which places are ours. Strangeness is 0
    for these, ``foreign`` for those that are surely not, else the trust in the days watched. A
    sensitive asset read by a link from where its signer never is counts as given to a foreign
    place, ``of_shared_place`` times if others of ours work there.

    Row 1d for everyone, 0 for those who gave nothing away. Row 30d for everyone: what strangers
    took today by a grant of the last 30 days, for its opener and for the party that took it
    (:mod:`models.features.grants`), else 0. Of a party the row of one member has the value.
    """
    own = own_places(history, settings.own_accounts, int(settings.known_users))
    trust = float(trust_after(log_days(history), settings.settle_days))
    strange = _Strangeness(own, float(settings.foreign), trust)
    given = _given(history, strange, settings)
    everyone = active_or_in(history, given)
    used = _used(history, strange)
    involved = pd.concat([
        used[["user_id", "user_kind"]],
        used[["opener", "opener_kind"]].set_axis(["user_id", "user_kind"], axis=1),
    ]) if len(used) else given[["user_id", "user_kind"]].iloc[:0]  # fmt: skip
    near = active_or_in(history, involved)
    known = set(history.assets.index)
    given["value"] = _weigh(history, given)
    return _describe(given, everyone, known) + _describe_use(used, near, known)


def _weigh(history: History, rows: pd.DataFrame) -> Floats:
    """log2(1 + ``amount``) × sensitivity ÷ 5 × ``strange`` of each row."""
    shares = sensitivity_shares(rows, history)
    amount = rows["amount"].to_numpy(dtype=np.float64)
    value: Floats = np.log2(1 + amount) * shares * rows["strange"].to_numpy(dtype=np.float64)
    return value


def _given(history: History, strange: _Strangeness, settings: ForeignCopySettings) -> pd.DataFrame:
    """Rows of strange places with ``amount`` (objects) for each asset whose content went there."""
    today = gifts(history.access[history.access["day"] == history.day])
    today["strange"] = _strangeness(today, strange)
    today = today[today["strange"] > 0].sort_values([*KEYS, "strange", "to"])
    worst = today.drop_duplicates(KEYS, keep="last")
    written = worst["action_class"] == "write"
    rows = _opened(history, worst[~written]) + _written(history, worst[written])
    rows += _linked(history, strange, settings)
    return pd.DataFrame(rows, columns=[*worst.columns, "evidence", "amount"])


def _strangeness(today: pd.DataFrame, strange: _Strangeness) -> list[float]:
    judged = {
        (to, user): strange.of(to, user)
        for to, user in set(zip(today["to"], today["user_id"], strict=True))
    }
    # A full list hides further places behind those that come first.
    return [
        max(judged[to, user], strange.trust if named >= MAX_LISTED else 0.0)
        for to, user, named in zip(today["to"], today["user_id"], today["named"], strict=True)
    ]


def _opened(history: History, worst: pd.DataFrame) -> Rows:
    """Copies and shares; what opens a container opens what it holds of every listed asset."""
    derived = history.context.derived
    sizes: dict[Any, float] = {place: of.share * of.objects for place, of in derived.items()}
    sizes |= listed_assets(history.context)["objects"].to_dict()
    written = history.assets["written"].to_dict()
    rows: Rows = []
    for row in worst.to_dict("records"):
        container = str(row["asset_id"])
        row |= {"evidence": container, "amount": max(1.0, float(row["objects"]))}
        below: tuple[str, ...] = ()
        if row["action_class"] == "share":
            copies = (container,) if container in derived else ()
            below = (*assets_below(container, history.context), *copies)
        rows += [
            row | {"asset_id": asset, "amount": _size(sizes.get(asset), written.get(asset))}
            for asset in below
        ] or [row]
    return rows


def _size(listed: float | None, written: float | None) -> float:
    """Objects of an asset: those listed, else the most that were written on a day, at least 1."""
    return max([1.0, *(n for n in (listed, written) if n is not None and not np.isnan(n))])


def _written(history: History, worst: pd.DataFrame) -> Rows:
    """Sensitive assets read in the week that ends with the day, by those who write elsewhere.

    Content can be packed before it is written, so its size is the size of what was read. What was
    read at the place itself came from nowhere else.
    """
    read = sensitive_of_week(history)
    amounts = read[read["user_id"].isin(worst["user_id"])]
    amounts = amounts.assign(objects=amounts["objects"].clip(lower=1))
    place = worst.sort_values(["strange", "to"]).drop_duplicates("user_id", keep="last")
    rows = amounts.rename(columns={"objects": "amount"}).merge(
        place.drop(columns=["asset_id"]), on="user_id"
    )
    return [
        {**row, "evidence": row["asset_id"]}
        for row in rows.to_dict("records")
        if row["asset_id"] != str(row["to"]).partition("#")[0]
    ]


def _linked(history: History, strange: _Strangeness, settings: ForeignCopySettings) -> Rows:
    """Links given away: see :func:`models.features.grants.links_given`."""
    weight, shared = strange.foreign * strange.trust, float(settings.of_shared_place)
    return [
        {
            "user_id": row["user_id"],
            "user_kind": row["user_kind"],
            "asset_id": row["asset_id"],
            "action_class": "read",
            "objects": row["objects"],
            "to": LINK,
            "strange": weight * (1.0 if row["alone"] else shared),
            "evidence": row["asset_id"],
            "amount": row["objects"],
        }
        for row in links_given(history, int(settings.known_users)).to_dict("records")
    ]


def _used(history: History, strange: _Strangeness) -> pd.DataFrame:
    """Rows of :func:`models.features.grants.used_grants` with ``amount`` and ``value`` (≥ 0).

    Of each asset the party's objects are added, at most those that it has; the row's value is that
    of the whole party. ``amount``: the party's objects.
    """
    pairs = set(zip(history.grants["destination"], history.grants["user_id"], strict=True))
    weights = {(str(to), str(user)): strange.of(str(to), str(user)) for to, user in pairs}
    used = used_grants(history, strange.own, weights)
    own = used.drop_duplicates(["user_id", "asset_id"])
    sums = own.groupby(["party", "asset_id"])["objects"].sum()
    size = listed_assets(history.context)["objects"].reindex(used["asset_id"]).to_numpy(np.float64)
    keys = pd.MultiIndex.from_frame(used[["party", "asset_id"]])
    amount = sums.reindex(keys).to_numpy(np.float64)
    used["amount"] = np.where(size > 0, np.fmin(amount, size), amount)
    used["value"] = _weigh(history, used)
    return used


def _describe_use(used: pd.DataFrame, everyone: pd.DataFrame, known: set[str]) -> list[Signal]:
    """Rows 30d."""
    leaders = {str(party): _leader(rows) for party, rows in used.groupby("party")}
    taken = {leaders[str(party)]: rows for party, rows in used.groupby("party")}
    opened = {str(opener): rows for opener, rows in used.groupby("opener")}
    member = dict(zip(used["user_id"], used["party"].map(leaders), strict=True))
    found = []
    for user, kind in each_row(everyone):
        if user in opened:
            found.append(_prepared(user, kind, opened[user], known))
        elif user in taken:
            found.append(_took(user, kind, taken[user], known))
        else:
            reason = Reason("used_no_grant")
            if user in member:
                reason = Reason("took_with_others", leader=Identities((str(member[user]),)))
            found.append(Signal(user, kind, "30d", 0.0, 0.0, 0.0, "objects", reason))
    return found


def _leader(rows: pd.DataFrame) -> str | None:
    """Who leads a party; see :func:`leader_of`."""
    return leader_of(
        rows.drop_duplicates(["user_id", "asset_id"]).groupby("user_id")["objects"].sum()
    )


def _best(rows: pd.DataFrame) -> pd.DataFrame:
    """The grant that weighs most of each party and asset, most first."""
    order = ["value", "asset_id", "party", "to"]
    rows = rows.sort_values(order, ascending=[False, True, True, True])
    return rows.drop_duplicates(["party", "asset_id"])


def _names(values: pd.Series, but: str = "") -> tuple[str, ...]:
    return tuple(sorted({str(value) for value in values} - {but}))


def _took(user: str, kind: str, rows: pd.DataFrame, known: set[str]) -> Signal:
    best, openers = _best(rows), _names(rows["opener"])
    others = _names(rows["user_id"], but=user)
    assets = tuple(dict.fromkeys(str(asset) for asset in best["asset_id"]))[:EVIDENCE_ASSETS]
    reason = Reason(
        "used_grant",
        objects=Amount(float(best["amount"].sum()), "objects"),
        assets=Assets(assets),
        openers=Identities(openers),
        places=Destinations(_names(rows["to"])),
        days=Count(float(rows["ago"].min())),
        others=Identities(others[:MOST_RELATED]) if others else None,
    )
    named = [asset for asset in assets if asset in known]
    value, amount = USER_SHARE * float(best["value"].sum()), float(best["amount"].sum())
    related = (*openers, *others)[:MOST_RELATED]
    return Signal(user, kind, "30d", value, amount, 0.0, "objects", reason, named, related)


def _prepared(user: str, kind: str, rows: pd.DataFrame, known: set[str]) -> Signal:
    best, takers = _best(rows), _names(rows["user_id"])
    touched = [str(asset) for asset in (*best["asset_id"], *best["opened"])]
    assets = list(dict.fromkeys(asset for asset in touched if asset in known))[:EVIDENCE_ASSETS]
    reason = Reason(
        "prepared_grant",
        assets=Assets(tuple(dict.fromkeys(str(asset) for asset in best["asset_id"]))),
        places=Destinations(_names(rows["to"])),
        days=Count(float(rows["ago"].min())),
        users=Identities(takers[:MOST_RELATED]),
        objects=Amount(float(best["amount"].sum()), "objects"),
    )
    value, amount = float(best["value"].sum()), float(best["amount"].sum())
    related = takers[:MOST_RELATED]
    return Signal(user, kind, "30d", value, amount, 0.0, "objects", reason, assets, related)


def _describe(given: pd.DataFrame, everyone: pd.DataFrame, known: set[str]) -> list[Signal]:
    order = ["user_id", "value", "asset_id"]
    given = given.sort_values(order, ascending=[True, False, True])
    parts = dict(iter(given[given["value"] > 0].groupby("user_id")))
    rows: list[Signal] = []
    for user, kind in each_row(everyone):
        part = parts.get(user)
        if part is None:
            nothing = Reason("gave_nothing_away")
            rows.append(Signal(user, kind, "1d", 0.0, 0.0, 0.0, "objects", nothing))
            continue
        touched = [str(asset) for asset in (*part["asset_id"], *part["evidence"]) if asset in known]
        assets = list(dict.fromkeys(touched))[:EVIDENCE_ASSETS]
        objects = float(part["amount"].sum())
        names = sorted(set(part["to"]))
        reason = Reason(
            "gave_away", objects=Amount(objects, "objects"), places=Destinations(tuple(names))
        )
        value = float(part["value"].sum())
        rows.append(Signal(user, kind, "1d", value, objects, 0.0, "objects", reason, assets))
    return rows
