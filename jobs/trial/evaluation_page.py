"""The page of ``python -m jobs.trial.evaluate``, and the rows of its picture."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable, Sequence
from typing import Any

from jobs.trial.ablations import ABLATIONS
from jobs.trial.judging import Lab, expected_by_chance, judge, matches, taken_on_first_day
from jobs.trial.rankings import RANKINGS, Queue, with_cool_down

BUDGETS = (3, 5, 10)
WARM_UP_DAYS = 14
"""First days of a lab, which do not count because nobody has a baseline yet."""
OWN, CHANCE = "exfilwatch", "chance"
HEAD = (
    "| ranking | budget | found | precision | entries a day | gone at alert "
    "| gone at alert, longer than a day | days to alert | look-alikes |\n"
    "|---|--:|--:|--:|--:|--:|--:|--:|--:|"
)


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
    _say_gone_at_best(labs, say)
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


def _say_gone_at_best(labs: Sequence[Lab], say: Callable[[str], None]) -> None:
    """What no ranking of whole days can go below."""
    long = [case for lab in labs for case in lab.incidents if case.last > case.first]
    if long:
        gone = statistics.median(map(taken_on_first_day, long))
        say(
            f"\nOf the {len(long)} incidents longer than a day, {gone:.0%} is gone at the end of "
            "their first day with a theft (median). No alert of a daily run comes earlier."
        )


def _say_named(labs: Sequence[Lab], say: Callable[[str], None]) -> None:
    """Incidents of which an entry of exfilwatch names a person and an asset."""
    total = sum(len(lab.incidents) for lab in labs)
    say("\n## Found with the asset\n")
    say("Here an incident counts as found only if an entry names one of its assets, too.\n")
    say("| budget | found with the asset | share |\n|--:|--:|--:|")
    for budget in BUDGETS:
        named = sum(len(judge(lab.queues[OWN], budget, lab.incidents, []).named) for lab in labs)
        say(f"| {budget} | {named} of {total} | {named / max(1, total):.0%} |")


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
                if matches(case, day, entry)
            ]
            best = f"{min(ranks)[0]} on {min(ranks)[1]}" if ranks else "not in the queue"
            say(f"| {lab.name} | {case.name} | {case.first} | {case.last} | {best} |")


def _queue(lab: Lab, name: str, cooled: bool, budget: int) -> Queue:
    queue = lab.queues[name]
    return with_cool_down(queue, budget) if cooled else queue


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
