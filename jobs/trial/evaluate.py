"""Measures how well the review queue finds planted incidents, beside trivial rankings.

    python -m jobs.trial.evaluate demo [more folders …] [--quiet folder …] --out evaluation.md

writes the page, and beside it a picture of the same name with `.svg`. It reads ``truth.json`` and
the tables of sample labs that were run (``exfilwatch demo``). An incident counts as found at a
budget of N if one of its people is among the first N of a day's queue between its first day and
``GRACE_DAYS`` after its last. The queue of exfilwatch may be shorter than N; a trivial ranking
always fills it. With a cool-down a trivial ranking leaves out whoever it has shown in the last 7
days. The figures of chance are computed, not drawn.

``--quiet`` names labs without incidents: each entry of their queues is false.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.inputs.config import load_config
from jobs.platform.errors import InputError, RunError
from jobs.trial.ablations import ABLATIONS, ablated_queues
from jobs.trial.evaluation_picture import draw_shares
from jobs.trial.rankings import RANKINGS, Queue, ranked, with_cool_down
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
OWN, CHANCE = "exfilwatch", "chance"
HEAD = (
    "| ranking | budget | found | precision | entries a day | gone at alert "
    "| gone at alert, longer than a day | days to alert | look-alikes |\n"
    "|---|--:|--:|--:|--:|--:|--:|--:|--:|"
)


@dataclass(frozen=True)
class Case:
    """A planted incident or look-alike; ``taken``: day → share taken by its end, 0 to 1."""

    name: str
    kind: str
    users: frozenset[str]
    assets: frozenset[str]
    first: date
    last: date
    taken: dict[date, float]


@dataclass(frozen=True)
class Alert:
    """The first entry that names a person of an incident."""

    day: date
    taken: float


@dataclass(frozen=True)
class Result:
    """One ranking of one lab at one budget; ``named``: incidents whose asset an entry names."""

    found: dict[str, Alert]
    named: set[str]
    look_alikes: list[str]
    shown: int
    right: int


@dataclass(frozen=True)
class Lab:
    """One lab that was run: its cases, its queues by ranking, the identities of each day."""

    name: str
    incidents: list[Case]
    look_alikes: list[Case]
    queues: dict[str, Queue]
    active: dict[date, int]


def judge(queue: Queue, budget: int, incidents: list[Case], look_alikes: list[Case]) -> Result:
    """The result of the first ``budget`` entries of every day."""
    found: dict[str, Alert] = {}
    named: set[str] = set()
    alerted: set[str] = set()
    shown = right = 0
    for day in sorted(queue):
        for entry in queue[day][:budget]:
            shown += 1
            hits = [case for case in incidents if _matches(case, day, entry)]
            right += bool(hits)
            for case in hits:
                found.setdefault(case.name, Alert(day, _taken(case, day)))
            named |= {case.name for case in hits if not case.assets.isdisjoint(entry)}
            alerted |= {case.name for case in look_alikes if _matches(case, day, entry)}
    return Result(found, named, sorted(alerted), shown, right)


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
        users, assets = (frozenset(entry[key]) for key in ("user_ids", "asset_ids"))
        return Case(entry["id"], entry.get("kind", ""), users, assets, first, last, taken)

    return [case(e) for e in truth["incidents"]], [case(e) for e in truth["look_alikes"]]


def own_queue(findings: pd.DataFrame) -> Queue:
    """The queue of the ``findings`` table. After its people an entry names its assets."""
    queue: Queue = {}
    for row in each_row(findings[findings["in_budget"]].sort_values(["day", "queue_rank"])):
        document = json.loads(row.document)
        assets = (asset["id"] for asset in document["exfil"]["assets"])
        queue.setdefault(row.day, []).append((row.entity, *document["related"]["user"], *assets))
    return queue


def read_lab(folder: Path) -> Lab:
    """A lab that was run; its first WARM_UP_DAYS are left out."""
    truth = _truth(folder)
    incidents, look_alikes = read_cases(truth)
    config = load_config(folder / "config.yml")
    access = _table(config.storage, ACCESS).drop(columns=["hourly"])
    access["bytes_out"] = access["bytes_out"].astype(float).fillna(0.0)
    judged = min(access["day"]) + timedelta(days=WARM_UP_DAYS)
    queues = {OWN: own_queue(_table(config.storage, FINDINGS))}
    queues |= {name: ranked(score(access)) for name, score in RANKINGS.items()}
    return Lab(
        folder.name,
        [case for case in incidents if case.last >= judged],
        look_alikes,
        {
            name: {day: entries for day, entries in queue.items() if day >= judged}
            for name, queue in queues.items()
        },
        access[access["day"] >= judged].groupby("day")["user_id"].nunique().to_dict(),
    )


def with_ablations(lab: Lab, folder: Path) -> Lab:
    """The lab with the queues of each ablation, of the days that are judged."""
    config = load_config(folder / "config.yml")
    return replace(lab, queues=lab.queues | ablated_queues(config, sorted(lab.active)))


def shares(labs: Sequence[Lab]) -> list[dict[str, Any]]:
    """Rows for the picture: found and precision of each ranking, the trivial ones with cool-down.

    Chance finds at every budget what it is expected to find; it has no precision.
    """
    total = sum(len(lab.incidents) for lab in labs)
    rows = []
    for name, budget in itertools.product((OWN, *RANKINGS), BUDGETS):
        queues = [_queue(lab, name, name != OWN, budget) for lab in labs]
        results = [
            judge(queue, budget, lab.incidents, lab.look_alikes)
            for queue, lab in zip(queues, labs, strict=True)
        ]
        found, shown = (sum(len(r.found) for r in results), sum(r.shown for r in results))
        row = {"ranking": name, "budget": budget}
        rows.append(row | {"measure": "incidents found", "share": found / max(1, total)})
        right = sum(result.right for result in results)
        rows.append(row | {"measure": "precision", "share": right / max(1, shown)})
    for budget in BUDGETS:
        found_by_chance = sum(expected_by_chance(lab.active, budget, lab.incidents) for lab in labs)
        share = found_by_chance / max(1, total)
        rows.append(
            {"ranking": CHANCE, "budget": budget, "measure": "incidents found", "share": share}
        )
    return rows


def report(
    labs: Sequence[Lab], quiet: Sequence[Lab], picture: str, say: Callable[[str], None]
) -> None:
    """Say the figures of all labs together as a page of Markdown; ``picture``: its file's name."""
    say("# How well exfilwatch detects\n")
    total = sum(len(lab.incidents) for lab in labs)
    say(f"{total} incidents in {len(labs)} labs ({', '.join(lab.name for lab in labs)}).")
    say(f"The days after the first {WARM_UP_DAYS} are judged.\n")
    say("## Beside trivial rankings\n")
    say(f"![Incidents found and precision by entries a day, for each ranking]({picture})\n")
    say("The trivial rankings of the picture have the cool-down.\n")
    say(HEAD)
    for name in (OWN, *RANKINGS):
        for cooled in (False, True) if name != OWN else (False,):
            for budget in BUDGETS:
                say(_line(name, cooled, budget, labs))
    for budget in BUDGETS:
        chance = sum(expected_by_chance(lab.active, budget, lab.incidents) for lab in labs)
        say(f"| {CHANCE} | {budget} | {chance:.1f} of {total} | | | | | | |")
    _say_named(labs, say)
    say("\n## What the graph is worth\n")
    say("Each line is one detector alone, ranked by its statistic of the day.\n")
    say(HEAD)
    for name in ABLATIONS:
        for budget in BUDGETS:
            say(_line(name, False, budget, labs))
    _say_kinds(labs, say)
    if quiet:
        _say_quiet(quiet, say)
    _say_cases(labs, say)


def _line(name: str, cooled: bool, budget: int, labs: Sequence[Lab]) -> str:
    results = [
        judge(_queue(lab, name, cooled, budget), budget, lab.incidents, lab.look_alikes)
        for lab in labs
    ]
    alerts = [
        (case, result.found[case.name])
        for lab, result in zip(labs, results, strict=True)
        for case in lab.incidents
        if case.name in result.found
    ]
    shown = sum(result.shown for result in results)
    right = sum(result.right for result in results)
    days = sum(len(lab.active) for lab in labs)
    gone = [alert.taken for _, alert in alerts]
    gone_of_long = [alert.taken for case, alert in alerts if case.last > case.first]
    waited = [(alert.day - case.first).days for case, alert in alerts]
    said = f"{name}, cool-down" if cooled else name
    cells = [
        said,
        str(budget),
        f"{len(alerts)} of {sum(len(lab.incidents) for lab in labs)}",
        f"{right / shown:.0%}" if shown else "–",
        f"{shown / days:.1f}",
        f"{statistics.median(gone):.0%}" if gone else "–",
        f"{statistics.median(gone_of_long):.0%}" if gone_of_long else "–",
        f"{statistics.median(waited):g}" if waited else "–",
        f"{sum(len(result.look_alikes) for result in results)} of "
        f"{sum(len(lab.look_alikes) for lab in labs)}",
    ]
    return f"| {' | '.join(cells)} |"


def _say_named(labs: Sequence[Lab], say: Callable[[str], None]) -> None:
    """Incidents of which an entry of exfilwatch names a person and an asset."""
    total = sum(len(lab.incidents) for lab in labs)
    say("\n## Found with the asset\n")
    say("Here an incident counts as found only if an entry names one of its assets, too.\n")
    say("| budget | found with the asset | share |\n|--:|--:|--:|")
    for budget in BUDGETS:
        named = sum(len(judge(lab.queues[OWN], budget, lab.incidents, []).named) for lab in labs)
        say(f"| {budget} | {named} of {total} | {named / max(1, total):.0%} |")


def _queue(lab: Lab, name: str, cooled: bool, budget: int) -> Queue:
    queue = lab.queues[name]
    return with_cool_down(queue, budget) if cooled else queue


def _say_kinds(labs: Sequence[Lab], say: Callable[[str], None]) -> None:
    """Incidents found and look-alikes shown by exfilwatch, by kind and budget."""
    heads = " | ".join(str(budget) for budget in BUDGETS)
    for title, wanted in (("Incidents found", True), ("Look-alikes in the queue", False)):
        say(f"\n## {title} by kind and budget\n")
        say(f"| kind | {heads} |")
        say("|---|--:|--:|--:|")
        kinds: dict[str, list[list[bool]]] = {}
        for lab in labs:
            results = [
                judge(lab.queues[OWN], budget, lab.incidents, lab.look_alikes) for budget in BUDGETS
            ]
            for case in lab.incidents if wanted else lab.look_alikes:
                hits = [
                    case.name in (result.found if wanted else result.look_alikes)
                    for result in results
                ]
                kinds.setdefault(case.kind or case.name, []).append(hits)
        for kind, rows in sorted(kinds.items()):
            sums = [f"{sum(column)} of {len(rows)}" for column in zip(*rows, strict=True)]
            say(f"| {kind} | {' | '.join(sums)} |")


def _say_quiet(quiet: Sequence[Lab], say: Callable[[str], None]) -> None:
    """Entries a day of labs without incidents, all of which are false."""
    days = sum(len(lab.active) for lab in quiet)
    entries = [len(lab.queues[OWN].get(day, ())) for lab in quiet for day in lab.active]
    say("\n## Without an attack\n")
    say(
        f"In {len(quiet)} labs without incidents ({days} days) the queue held "
        f"{statistics.fmean(entries):.1f} entries a day, {max(entries)} at most. All are false."
    )


def _say_cases(labs: Sequence[Lab], say: Callable[[str], None]) -> None:
    """Each case's best rank in exfilwatch's own queue."""
    say("\n## Each case\n")
    say("| lab | case | first day | last day | best rank |")
    say("|---|---|---|---|---|")
    for lab in labs:
        for case in (*lab.incidents, *lab.look_alikes):
            ranks = [
                (rank, day)
                for day, entries in lab.queues[OWN].items()
                for rank, entry in enumerate(entries, start=1)
                if _matches(case, day, entry)
            ]
            best = f"{min(ranks)[0]} on {min(ranks)[1]}" if ranks else "not in the queue"
            say(f"| {lab.name} | {case.name} | {case.first} | {case.last} | {best} |")


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
    parser.add_argument("--quiet", nargs="*", type=Path, default=[], help="labs without incidents")
    parser.add_argument("--out", type=Path, required=True, help="the page to write, such as x.md")
    arguments = parser.parse_args(argv)
    lines: list[str] = []
    try:
        labs = [with_ablations(read_lab(folder), folder) for folder in arguments.folders]
        quiet = [read_lab(folder) for folder in arguments.quiet]
        picture = arguments.out.with_suffix(".svg")
        report(labs, quiet, picture.name, lines.append)
    except RunError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    arguments.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    picture.write_text(draw_shares(shares(labs), OWN, CHANCE), encoding="utf-8")
    print(f"{arguments.out} and {picture} written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
