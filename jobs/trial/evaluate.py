"""Measures how well the review queue finds planted incidents, beside trivial rankings.

    python -m jobs.trial.evaluate demo [more folders …]

reads ``truth.json`` and the tables of sample labs that were run (``exfilwatch demo``). An incident
counts as found at a budget of N if one of its people is among the first N of a day's queue between
its first day and ``GRACE_DAYS`` after its last. Every ranking ranks all identities of a day. The
figures of chance are computed, not drawn.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.inputs.config import load_config
from jobs.platform.errors import InputError, RunError
from models.features.rows import each_row
from schemas.tables.access import ACCESS
from schemas.tables.findings import FINDINGS
from schemas.tables.spec import Table

if TYPE_CHECKING:
    import pandas as pd

BUDGETS = (3, 5, 10)
GRACE_DAYS = 2
WARM_UP_DAYS = 14
"""First days of a lab, which do not count because nobody has a baseline yet."""

Queue = dict[date, list[tuple[str, ...]]]
"""Day → entries, best first. An entry is a set of identities."""


@dataclass(frozen=True)
class Case:
    """A planted incident or look-alike; ``taken``: day → share taken by its end, 0 to 1."""

    name: str
    users: frozenset[str]
    first: date
    last: date
    taken: dict[date, float]


@dataclass(frozen=True)
class Result:
    """One ranking at one budget: ``found`` incidents, each with its day and the share taken."""

    found: dict[str, tuple[date, float]]
    look_alikes: list[str]
    precision: float


def judge(queue: Queue, budget: int, incidents: list[Case], look_alikes: list[Case]) -> Result:
    """The result of the first ``budget`` entries of every day.

    ``precision``: share of these entries that name a person of an incident while it lasts.
    """
    found: dict[str, tuple[date, float]] = {}
    alerted: set[str] = set()
    shown = right = 0
    for day in sorted(queue):
        for entry in queue[day][:budget]:
            shown += 1
            hits = [case for case in incidents if _matches(case, day, entry)]
            right += bool(hits)
            for case in hits:
                found.setdefault(case.name, (day, _taken(case, day)))
            alerted |= {case.name for case in look_alikes if _matches(case, day, entry)}
    return Result(found, sorted(alerted), right / shown if shown else 0.0)


def expected_by_chance(days: dict[date, int], budget: int, incidents: list[Case]) -> float:
    """Expected number of incidents found if each day's queue were drawn at random.

    ``days``: identities active on each day. Closed form for an incident: 1 − the product over its
    days of the chance that none of its people is drawn.
    """
    expected = 0.0
    for case in incidents:
        missed = 1.0
        for day, active in days.items():
            if case.first <= day <= case.last + timedelta(days=GRACE_DAYS) and active:
                for drawn in range(min(budget, active)):
                    missed *= max(0.0, 1 - len(case.users) / (active - drawn))
        expected += 1 - missed
    return expected


def read_cases(truth: dict[str, Any]) -> tuple[list[Case], list[Case]]:
    """Incidents and look-alikes of a sample lab's truth."""

    def case(entry: dict[str, Any]) -> Case:
        taken = {
            date.fromisoformat(part["day"]): float(part.get("taken_fraction") or 0.0)
            for part in entry.get("evidence", ())
        }
        first, last = (date.fromisoformat(entry[key]) for key in ("first_day", "last_day"))
        return Case(entry["id"], frozenset(entry["user_ids"]), first, last, taken)

    return [case(e) for e in truth["incidents"]], [case(e) for e in truth["look_alikes"]]


def own_queue(findings: pd.DataFrame) -> Queue:
    """The queue of the ``findings`` table, also below the budget."""
    queue: Queue = {}
    for row in each_row(findings.sort_values(["day", "queue_rank"])):
        related = json.loads(row.document)["related"]["user"]
        queue.setdefault(row.day, []).append((row.entity, *related))
    return queue


def ranked(scores: pd.DataFrame) -> Queue:
    """Queue of a frame with day, user_id and score: higher scores first, ties by user_id."""
    order = scores.sort_values(["day", "score", "user_id"], ascending=[True, False, True])
    queue: Queue = {}
    for row in each_row(order):
        queue.setdefault(row.day, []).append((row.user_id,))
    return queue


def daily_bytes(access: pd.DataFrame) -> pd.DataFrame:
    """Bytes of the day."""
    daily = access.groupby(["day", "user_id"])["bytes_out"].sum()
    return daily.rename("score").reset_index()


def bytes_z_score(access: pd.DataFrame) -> pd.DataFrame:
    """Bytes of the day against the mean and deviation of the identity's own earlier days."""
    daily = daily_bytes(access).sort_values("day")
    by_user = daily.groupby("user_id")["score"]
    mean = by_user.transform(lambda values: values.shift().expanding().mean())
    deviation = by_user.transform(lambda values: values.shift().expanding().std())
    return daily.assign(score=((daily["score"] - mean) / (deviation + 1.0)).fillna(0.0))


def new_assets(access: pd.DataFrame) -> pd.DataFrame:
    """Number of assets that the identity touched for the first time."""
    firsts = access.groupby(["user_id", "asset_id"], as_index=False)["day"].min()
    counted = firsts.groupby(["day", "user_id"], as_index=False).size()
    active = access[["day", "user_id"]].drop_duplicates()
    merged = active.merge(counted, how="left", on=["day", "user_id"])
    return merged.rename(columns={"size": "score"}).fillna({"score": 0})


def isolation_forest(access: pd.DataFrame) -> pd.DataFrame:
    """Score of scikit-learn's isolation forest on each identity's daily counts."""
    import numpy as np
    from sklearn.ensemble import IsolationForest

    daily = access.groupby(["day", "user_id"], as_index=False).agg(
        events=("events", "sum"),
        failures=("failures", "sum"),
        bytes=("bytes_out", "sum"),
        objects=("objects", "sum"),
        assets=("asset_id", "nunique"),
    )
    features = np.log1p(daily[["events", "failures", "bytes", "objects", "assets"]].astype(float))
    forest = IsolationForest(random_state=0).fit(features)
    return daily.assign(score=-forest.score_samples(features))[["day", "user_id", "score"]]


BASELINES: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "daily bytes": daily_bytes,
    "z-score of bytes": bytes_z_score,
    "new assets": new_assets,
    "isolation forest": isolation_forest,
}


def evaluate(folders: list[Path], say: Callable[[str], None] = print) -> None:
    """Evaluate the labs in ``folders`` together and report the figures."""
    rankings: dict[str, list[tuple[Queue, list[Case], list[Case], dict[date, int]]]] = {}
    for folder in folders:
        truth = _truth(folder)
        incidents, look_alikes = read_cases(truth)
        config = load_config(folder / "config.yml")
        access = _table(config.storage, ACCESS).drop(columns=["hourly"])
        access["bytes_out"] = access["bytes_out"].astype(float).fillna(0.0)
        judged = min(access["day"]) + timedelta(days=WARM_UP_DAYS)
        active = access[access["day"] >= judged].groupby("day")["user_id"].nunique().to_dict()
        incidents = [case for case in incidents if case.last >= judged]
        queues = {"exfilwatch": own_queue(_table(config.storage, FINDINGS))}
        queues |= {name: ranked(score(access)) for name, score in BASELINES.items()}
        for name, queue in queues.items():
            late = {day: entries for day, entries in queue.items() if day >= judged}
            rankings.setdefault(name, []).append((late, incidents, look_alikes, active))
    total = sum(len(incidents) for _, incidents, _, _ in rankings["exfilwatch"])
    say(f"{total} incidents in {len(folders)} lab(s), days after the first {WARM_UP_DAYS} judged")
    say(
        f"{'ranking':18}{'budget':>7}{'found':>9}{'precision':>11}{'gone at alert':>15}"
        f"{'look-alikes':>13}"
    )
    for name, labs in rankings.items():
        for budget in BUDGETS:
            say(_line(name, budget, total, [judge(q, budget, i, a) for q, i, a, _ in labs]))
    for budget in BUDGETS:
        chance = sum(expected_by_chance(d, budget, i) for _, i, _, d in rankings["exfilwatch"])
        say(f"{'chance':18}{budget:7}{f'{chance:.1f}/{total}':>9}")
    say("")
    _say_incidents(rankings["exfilwatch"], folders, say)


def _line(name: str, budget: int, total: int, results: list[Result]) -> str:
    import statistics

    found = sum(len(result.found) for result in results)
    gone = [share for result in results for _, share in result.found.values()]
    precision = statistics.fmean(result.precision for result in results)
    look_alikes = sum(len(result.look_alikes) for result in results)
    median = f"{statistics.median(gone):.0%}" if gone else "-"
    return (
        f"{name:18}{budget:7}{f'{found}/{total}':>9}{precision:>11.0%}{median:>15}{look_alikes:>13}"
    )


def _say_incidents(
    labs: list[tuple[Queue, list[Case], list[Case], dict[date, int]]],
    folders: list[Path],
    say: Callable[[str], None],
) -> None:
    """Each incident's rank in exfilwatch's own queue."""
    for folder, (queue, incidents, look_alikes, _) in zip(folders, labs, strict=True):
        for kind, cases in (("incident", incidents), ("look-alike", look_alikes)):
            for case in cases:
                ranks = [
                    (rank, day)
                    for day, entries in queue.items()
                    for rank, entry in enumerate(entries, start=1)
                    if _matches(case, day, entry)
                ]
                best = f"best rank {min(ranks)[0]:3} on {min(ranks)[1]}" if ranks else "not ranked"
                say(f"{folder.name}  {kind:10}  {case.name:28}{case.first} – {case.last}  {best}")


def _matches(case: Case, day: date, entry: tuple[str, ...]) -> bool:
    in_time = case.first <= day <= case.last + timedelta(days=GRACE_DAYS)
    return in_time and not case.users.isdisjoint(entry)


def _taken(case: Case, day: date) -> float:
    """Share taken by the end of ``day``, 0 to 1."""
    known = [share for at, share in case.taken.items() if at <= day]
    return max(known, default=0.0)


def _table(storage: str, table: Table) -> pd.DataFrame:
    """A whole table as pandas, without an engine."""
    from jobs.platform.delta_tables import open_table, table_exists

    if not table_exists(storage, table):
        raise InputError([f"no table {table.name} in {storage}; run the lab first"])
    return open_table(storage, table).to_pandas()


def _truth(folder: Path) -> dict[str, Any]:
    path = folder / "truth.json"
    if not path.is_file():
        raise InputError([f"{path}: missing; `exfilwatch demo --out {folder}` makes one"])
    truth: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return truth


def main(argv: list[str] | None = None) -> int:
    """Command line; exit code 2 for a folder without a sample lab."""
    parser = argparse.ArgumentParser(
        prog="python -m jobs.trial.evaluate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folders", nargs="+", type=Path, help="folders made by `exfilwatch demo`")
    try:
        evaluate(parser.parse_args(argv).folders)
    except RunError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
