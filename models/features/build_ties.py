"""Who changed a build pipeline lately, and which identities act through it.

An identity is tied to a change if it works with the changed thing: it fetched or cloned the
repository, belongs to the namespace, has the role, or was first seen after a runner, key, app or
token was added. What a caller can write (names of sessions, headers) ties nobody.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.features.assets import families, listed_assets
from models.features.gap_people import scope_of
from models.features.people import people
from models.features.rows import each_row, recent
from schemas.acts import BUILD_ACTS

if TYPE_CHECKING:
    from models.features.history import History

BROAD_TIES = ("organisation", "newborn")
"""Ties to a change that hold for many identities; others are account, repository, namespace."""
ADDING = ("runner", "key", "app", "token", "account")
"""Kinds of act that may bring a new identity."""
ALIKE = 0.1
"""Part of today's objects from which a reading of an earlier day is one alike."""
IN_SPACE = "system:serviceaccount:"
SPACE = re.compile(r"k8s://[^/]+/([^/]+)")
ACT_COLUMNS = ["user_id", "user_kind", "kind", "resource", "asset_id", "ago"]


def build_changes(history: History, days: int) -> pd.DataFrame:
    """ACT_COLUMNS of the successful changes of pipelines in the ``days`` days that end today."""
    columns = ["user_id", "user_kind", "kind", "resource", "asset_id", "events", "failures"]
    acts = recent(history.rare_acts, history.day, columns, days)
    done = (acts["events"] > acts["failures"]) & acts["kind"].isin(BUILD_ACTS)
    acts = acts.loc[done & (acts["user_id"] != ""), ACT_COLUMNS]
    return acts.sort_values(ACT_COLUMNS, ignore_index=True)


def tied_changes(history: History, acts: pd.DataFrame, builders: list[str]) -> pd.DataFrame:
    """``builder``, ``act`` (row of ``acts``), ``tie``, ``candidates``: the surest tie of each pair.

    ``candidates``: identities besides people that are tied to the change in the same way.
    """
    known = _known(history, builders)
    rows = []
    for number, act in enumerate(each_row(acts)):
        likely = known.likely(act)
        for builder in (each for each in builders if each in likely):
            if builder != act.user_id and (tie := _tie(act, builder, known)):
                together = tie in ("repository", "namespace")
                candidates = known.workers[act.asset_id] if together else 1
                rows.append((builder, number, tie, max(1, candidates)))
    return pd.DataFrame(rows, columns=["builder", "act", "tie", "candidates"])


@dataclass(frozen=True)
class _Known:
    """What is known of the builders, and for each thing the builders that have to do with it.

    ``worked``: see :func:`_worked_with`; ``scopes``: those of ``worked``. ``born``: see
    :func:`_days_known`. ``names``: see :func:`_names`. ``workers``: identities of each asset.
    """

    builders: tuple[str, ...]
    worked: dict[str, set[str]]
    scopes: dict[str, set[str]]
    born: dict[str, int]
    names: dict[str, tuple[str, ...]]
    workers: Counter[str]
    of_thing: dict[str, set[str]]

    def likely(self, act: Any) -> set[str]:
        """Builders that may be tied to the act: no other one is."""
        resource, ago = str(act.resource), int(act.ago)
        space = SPACE.match(resource)
        things = (
            f"name {_last(resource)}",
            f"asset {act.asset_id}",
            f"space {space.group(1).partition(':')[0] if space else ''}",
            f"scope {_broad_scope(act)}",
        )
        found = set().union(*(self.of_thing.get(thing, ()) for thing in things))
        if str(act.kind) in ADDING:
            found.update(each for each in self.builders if self.born.get(each, 0) <= ago)
        return found


def _known(history: History, builders: list[str]) -> _Known:
    worked, every = _worked_with(history), _names(history)
    names = {builder: every.get(builder, (builder,)) for builder in builders}
    scopes = {builder: {scope_of(each) for each in worked.get(builder, ())} for builder in builders}
    of_thing: dict[str, set[str]] = {}
    for builder in builders:
        spaces = [name.split(":")[2] for name in names[builder] if name.startswith(IN_SPACE)]
        for thing in (
            *(f"name {_end(name)}" for name in names[builder]),
            *(f"asset {asset}" for asset in worked.get(builder, ())),
            *(f"space {space}" for space in spaces),
            *(f"scope {scope}" for scope in scopes[builder]),
        ):
            of_thing.setdefault(thing, set()).add(builder)
    return _Known(
        tuple(builders),
        worked,
        scopes,
        _days_known(history, builders),
        names,
        Counter(asset for assets in worked.values() for asset in assets),
        of_thing,
    )


def _tie(act: Any, builder: str, known: _Known) -> str | None:
    resource, asset = str(act.resource), str(act.asset_id)
    kind, ago = str(act.kind), int(act.ago)
    names, last = known.names[builder], _last(resource)
    if kind == "account" and len(last) > 2 and any(_end(name) == last for name in names):
        return "account"
    mine = known.worked.get(builder, set())
    if asset in mine and not asset.startswith("k8s://"):
        return "repository"
    space = SPACE.match(resource)
    if space and space.group(1) != "-":
        of_space = f"{IN_SPACE}{space.group(1)}:"
        if asset in mine or any(name.startswith(of_space) for name in names):
            return "namespace"
        return None
    if _broad_scope(act) in known.scopes[builder]:
        return "organisation"
    if kind in ADDING and known.born.get(builder, 0) <= ago:
        return "newborn"
    return None


def _broad_scope(act: Any) -> str | None:
    """The organisation or cluster that an act changes as a whole; None for a part of it."""
    resource, asset = str(act.resource), str(act.asset_id)
    whole, space = scope_of(resource), SPACE.match(resource)
    if space:
        return whole if space.group(1) == "-" else None
    organisation = whole.startswith(("github://", "gitlab://")) and asset in (whole, whole + "/-")
    return whole if organisation else None


def _last(resource: str) -> str:
    """Last part of a URI's path."""
    return resource.rstrip("/").rpartition("/")[2]


def _end(name: str) -> str:
    """The role or account of a name: `…:role/x`, `…:assumed-role/x`, `…:ns:x`."""
    return re.split(r"[/:]", name)[-1]


def _worked_with(history: History) -> dict[str, set[str]]:
    """Assets, and the URIs of their patterns, that each identity besides people worked with."""
    columns = ["user_id", "user_kind", "asset_id", "events", "failures"]
    rows = recent(history.pairs, history.day, columns)
    rows = rows[(rows["user_kind"] != "human") & (rows["events"] > rows["failures"])]
    patterns = listed_assets(history.context)["pattern"].astype(str).to_dict()
    found: dict[str, set[str]] = {}
    for user, asset in rows[["user_id", "asset_id"]].drop_duplicates().itertuples(index=False):
        found.setdefault(str(user), set()).update({str(asset), patterns.get(asset, str(asset))})
    return found


def _days_known(history: History, builders: list[str]) -> dict[str, int]:
    """Days since each identity was first seen, 0 to 89; 89 where the log is not older."""
    rows = recent(history.entity_days, history.day, ["user_id"])
    oldest = int(rows["ago"].max()) if len(rows) else 0
    first = rows[rows["user_id"].isin(builders)].groupby("user_id")["ago"].max()
    return {str(user): int(ago) if ago < oldest else 10**6 for user, ago in first.items()}


def _names(history: History) -> dict[str, tuple[str, ...]]:
    """Names that the directory has for each identity, and the id itself."""
    known = people(history.context)["aliases"]
    return {str(user): (str(user), *map(str, aliases)) for user, aliases in known.items()}


def new_to_builder(history: History, taken: pd.DataFrame) -> NDArray[Any]:
    """How new each taking of today is to the identity, 0 to 1, shape (rows,).

    ``taken``: ``user_id``, ``asset_id``, ``objects``, ``family``, ``ago`` of the change. Days
    before the change count on which the identity took ALIKE of the objects of the family or more:
    a cheap look before, or reading since the change, makes nothing known. Of assets whose objects
    nobody counts the days with a touch do, less the days since the change.
    """
    columns = ["user_id", "asset_id", "objects_1"]
    covered = recent(history.covered, history.day, columns).rename(columns={"ago": "then"})
    families_counted = set(family_of(history, pd.Series(covered["asset_id"].unique())))
    pairs = recent(history.pairs, history.day, ["user_id", "asset_id", "objects", "taken"])
    pairs = pairs[pairs["taken"].astype(bool)].rename(
        columns={"objects": "objects_1", "ago": "then"}
    )
    users = taken["user_id"].unique()
    covered, pairs = (rows[rows["user_id"].isin(users)] for rows in (covered, pairs))
    past = pd.concat([covered, pairs[[*columns, "then"]]], ignore_index=True)
    past["family"] = family_of(history, past["asset_id"])
    days = (
        past.groupby(["user_id", "family", "then"])["objects_1"].max().rename("then_objects")
    ).reset_index()
    # A reading is tied to many changes, and to each of a day in the same way.
    asked = ["user_id", "family", "objects", "ago"]
    each = taken[asked].drop_duplicates(ignore_index=True)
    rows = each.reset_index(names="row").merge(days, on=["user_id", "family"])
    alike = rows[(rows["then"] > rows["ago"]) & (rows["then_objects"] >= rows["objects"] * ALIKE)]
    each["known"] = alike.groupby("row").size().reindex(each.index).fillna(0)
    known = taken[asked].merge(each, on=asked, how="left")["known"].to_numpy(dtype=np.float64)
    counted = taken["family"].isin(families_counted).to_numpy()
    today = recent(history.pairs, history.day, ["user_id", "asset_id", "days_before"], 1)
    touched = today.set_index(["user_id", "asset_id"])["days_before"]
    before = touched.reindex(pd.MultiIndex.from_frame(taken[["user_id", "asset_id"]])).fillna(0)
    least = np.maximum(0.0, before.to_numpy(dtype=np.float64) - taken["ago"].to_numpy())
    known = np.where(counted, known, np.maximum(known, least))
    return np.asarray(1 / (1 + known), dtype=np.float64)


def family_of(history: History, assets: pd.Series) -> NDArray[Any]:
    """The family of each asset; without siblings the asset itself."""
    return families(assets, history.context)
