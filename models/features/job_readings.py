"""What the roles of jobs read today, and who of the team and the role's submitters did before."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.features.assets import families, listed_assets, of_families
from models.features.memory import remembered
from models.features.people import teams
from models.features.rows import Codes, recent
from schemas.tables.values import TAKE_CLASSES

if TYPE_CHECKING:
    from models.features.history import History

GAP_DAYS = 7
"""Days before the day that make nobody's own reading a habit: one theft may take some days."""
ALIKE = 0.5
"""Part of today's objects from which a reading of one day is one alike."""
KEY = ["user_id", "role", "family"]
PAST = ["user_id", "role", "asset_id", "tie", "candidates", "objects"]
"""Columns of JOB_ACCESS that are read of earlier days."""
DAY_OF_READER = ["reader", "family", "ago"]


def job_readings(history: History) -> pd.DataFrame:
    """Rows of JOB_ACCESS of the day, with who read alike in the 89 days before.

    A family is the asset with its siblings. A reading alike is one of the family, of ALIKE of
    today's objects or more on one day; of assets whose objects nobody counts any use in the graph's
    window is. Columns besides those of JOB_ACCESS:

    * ``own_days``: days, GAP_DAYS and more ago, on which the submitter or their jobs read alike;
    * ``mates``: others of the submitter's team (where none is declared, of the identities without
      one) who read alike, themselves or by jobs that are surely theirs;
    * ``submitters``: other submitters, not of the owner's team, whose jobs had this role read
      alike: daily reads of the owners do not excuse a stranger;
    * ``alone_days``: days with a reading alike by this role that was tied to no job.

    An accomplice can raise each of them by one. What the role did for somebody else, or the
    submitter did last week, raises none.
    """
    every = history.job_access.columns
    today = recent(history.job_access, history.day, every, 1).drop(columns="ago")
    today["family"] = families(today["asset_id"], history.context)
    today = today.sort_values(["user_id", "role", "asset_id", "tie"], ignore_index=True)
    if today.empty:
        return today.assign(own_days=0, mates=0, submitters=0, alone_days=0)
    past = recent(history.job_access, history.day, PAST)
    past = past[(past["ago"] > 0) & (past["tie"] != "name")].reset_index(drop=True)
    past["family"] = families(past["asset_id"], history.context)
    need = today.groupby(KEY)["objects"].sum() * ALIKE
    wanted = need.rename("need").reset_index()
    owners = listed_assets(history.context)["owner_team"].to_dict()
    of_family = today.assign(owner=today["asset_id"].map(owners)).groupby("family")["owner"].first()
    wanted["owner"] = wanted["family"].map(of_family).fillna("")
    declared = teams(history.context)
    read = _earlier_readers(history, past, wanted["family"])
    tied = past.rename(columns={"user_id": "reader"})
    by_job = tied.groupby([*DAY_OF_READER, "role"])["objects"].sum().reset_index()
    counts = {
        "own_days": _own_days(wanted, read),
        "mates": _mates(wanted, read, declared),
        "submitters": _submitters(wanted, by_job, declared),
        "alone_days": _alone_days(wanted, read, tied),
    }
    keys = pd.MultiIndex.from_frame(today[KEY])
    return today.assign(
        **{name: count.reindex(keys).fillna(0).to_numpy(np.int64) for name, count in counts.items()}
    )


def job_evidence(history: History, users: Iterable[str]) -> pd.DataFrame:
    """What the roles of the users' jobs read on the day, as rows like those of ACCESS.

    Without what the users read under their own identity, which ACCESS holds. The hours of a reading
    share its amounts evenly.
    """
    rows = history.job_access
    rows = rows[(rows["day"] == history.day) & rows["user_id"].isin(list(users))]
    rows = rows[rows["role"].isin(set(history.access["user_id"]))].reset_index(drop=True)
    known = rows["bytes"].astype("float64").fillna(0)
    hourly = [
        _hours(first, last, (events, size, objects))
        for first, last, events, size, objects in zip(
            rows["first_time"], rows["last_time"], rows["events"], known, rows["objects"],
            strict=True,
        )
    ]  # fmt: skip
    found = rows.rename(columns={"bytes": "bytes_out"}).assign(
        action_class="read", bytes_estimated=None, chosen_names=0
    )
    found["hourly"] = pd.Series(hourly, dtype=object)
    found["acting_as"] = pd.Series([[role] for role in rows["role"]], dtype=object)
    found["sessions"] = pd.Series([[] for _ in range(len(rows))], dtype=object)
    return found


def own_readings(history: History, rows: pd.DataFrame) -> NDArray[np.bool_]:
    """Whether each row (``user_id``, ``asset_id``) is more than what :func:`read_by_jobs` says."""
    by_jobs = read_by_jobs(history)
    keys = zip(rows["user_id"], rows["asset_id"], strict=True)
    return np.array([key not in by_jobs for key in keys], dtype=bool)


@remembered
def read_by_jobs(history: History) -> set[tuple[str, str]]:
    """Roles and assets of which the role took nothing today but what is surely a job's.

    Surely: tied by the submitter's own session, the node's address or the pod's account, and to one
    submitter alone. A session that is merely called like a job proves nothing. What is a job's is
    judged as its submitter's, see :mod:`models.detectors.job_cover`.
    """
    rows = history.job_access
    sure = (rows["day"] == history.day) & (rows["tie"] != "name") & (rows["candidates"] == 1)
    by_job = rows[sure].groupby(["role", "asset_id"])["events"].sum()
    access = history.access[history.access["day"] == history.day]
    done = access[access["action_class"].isin(TAKE_CLASSES)]
    taken = (done["events"] - done["failures"]).groupby([done["user_id"], done["asset_id"]]).sum()
    whole = by_job >= taken.reindex(by_job.index).fillna(np.inf)
    return {(str(role), str(asset)) for role, asset in by_job.index[whole]}


def _hours(first: Any, last: Any, amounts: tuple[float, ...]) -> list[dict[str, float]]:
    hours = range(first.hour, last.hour + 1)
    names = ("events", "bytes", "objects")
    part = {name: amount / len(hours) for name, amount in zip(names, amounts, strict=True)}
    return [{"hour": hour, **part} for hour in hours]


def _earlier_readers(history: History, past: pd.DataFrame, wanted: pd.Series) -> pd.DataFrame:
    """``reader``, ``family``, ``ago``, ``objects`` of each day; of the families wanted alone."""
    covered = recent(history.covered, history.day, ["user_id", "asset_id", "objects_1"])
    covered = covered[covered["ago"] > 0].rename(columns={"objects_1": "objects"})
    edges = history.edges[history.edges["day"] == history.day]
    known = edges.loc[~edges["is_new"].astype(bool), ["user_id", "asset_id"]]
    counted = set(listed_assets(history.context).query("group != ''").index)
    uncounted = known[~known["asset_id"].isin(counted)].assign(ago=GAP_DAYS, objects=np.inf)
    own = past.loc[past["candidates"] == 1, ["user_id", "asset_id", "ago", "objects"]]
    parts = [part for part in (covered, uncounted, own) if len(part)]
    if not parts:
        return pd.DataFrame(columns=[*DAY_OF_READER, "objects"])
    rows = pd.concat(
        of_families(part, set(wanted), history.context).assign(source=place)
        for place, part in enumerate(parts)
    ).rename(columns={"user_id": "reader"})
    rows["objects"] = rows["objects"].astype(np.float64)
    # Both sources hold what submitters read in jobs under their own identity.
    sums = rows.groupby([*DAY_OF_READER, "source"])["objects"].sum()
    return sums.groupby(DAY_OF_READER).max().reset_index()


def _own_days(wanted: pd.DataFrame, read: pd.DataFrame) -> pd.Series:
    rows = wanted.merge(
        read[read["ago"] >= GAP_DAYS].rename(columns={"reader": "user_id"}),
        on=["user_id", "family"],
    )
    return rows[rows["objects"] >= rows["need"]].groupby(KEY).size()


def _mates(wanted: pd.DataFrame, read: pd.DataFrame, declared: dict[str, str]) -> pd.Series:
    most = read.groupby(["reader", "family"])["objects"].max().reset_index()
    most["team"] = most["reader"].map(declared).fillna("")
    mine = wanted.assign(team=wanted["user_id"].map(declared).fillna(""))
    rows = mine.merge(most, on=["team", "family"])
    alike = (rows["objects"] >= rows["need"]) & (rows["reader"] != rows["user_id"])
    return rows[alike & (rows["reader"] != rows["role"])].groupby(KEY).size()


def _submitters(wanted: pd.DataFrame, by_job: pd.DataFrame, declared: dict[str, str]) -> pd.Series:
    # Many submitters share a role, so readers are counted instead of paired with each other.
    most = by_job.groupby(["reader", "role", "family"])["objects"].max()
    own = most.reindex(pd.MultiIndex.from_frame(wanted[KEY])).to_numpy(np.float64)
    readers = most.reset_index()
    readers["owner"] = readers["reader"].map(declared).fillna("")
    owner = wanted["owner"].to_numpy(dtype=object)
    owned = owner != ""
    team = wanted["user_id"].map(declared).fillna("").to_numpy(dtype=object)
    of_owners = np.where(owned, _count_alike(wanted, readers, ["role", "family", "owner"]), 0)
    of_oneself = (own >= wanted["need"].to_numpy()) & ~(owned & (team == owner))
    others = _count_alike(wanted, readers, ["role", "family"]) - of_owners - of_oneself
    return pd.Series(others, index=pd.MultiIndex.from_frame(wanted[KEY]))


def _count_alike(wanted: pd.DataFrame, readers: pd.DataFrame, keys: list[str]) -> Codes:
    """Rows of ``readers`` with the keys of each wanted row and its ``need`` of objects or more."""
    both = pd.concat([readers[keys], wanted[keys]], ignore_index=True)
    group = both.groupby(keys).ngroup().to_numpy()
    amount = np.concatenate([readers["objects"], wanted["need"]])
    values, rank = np.unique(amount, return_inverse=True)
    place = group * len(values) + rank
    known, asked = np.sort(place[: len(readers)]), place[len(readers) :]
    ends = (group[len(readers) :] + 1) * len(values)
    return np.searchsorted(known, ends) - np.searchsorted(known, asked)


def _alone_days(wanted: pd.DataFrame, read: pd.DataFrame, tied: pd.DataFrame) -> pd.Series:
    roles = wanted["role"].unique()
    jobs = tied.loc[tied["role"].isin(roles), ["role", "family", "ago"]].drop_duplicates()
    days = read[read["reader"].isin(roles)].rename(columns={"reader": "role"})
    days = days.merge(jobs.assign(of_job=True), on=["role", "family", "ago"], how="left")
    rows = wanted.merge(days[days["of_job"].isna()], on=["role", "family"])
    return rows[rows["objects"] >= rows["need"]].groupby(KEY).size()
