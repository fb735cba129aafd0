"""A sample lab: seeded logs in the vendors' formats, with planted incidents and look-alikes.

`make_lab` writes raw logs, context files, a job config and `truth.json` into a folder. The same
seed gives the same bytes; another seed gives other people, assets, habits, villains and days.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from jobs.platform.progress import advance
from jobs.trial.lab.api_cases import plan_api_cases
from jobs.trial.lab.building import build_lab
from jobs.trial.lab.context_files import write_config, write_context
from jobs.trial.lab.delivery import deliver
from jobs.trial.lab.ending import write_truth
from jobs.trial.lab.feed import Feed
from jobs.trial.lab.gateway_days import Gateway
from jobs.trial.lab.look_alikes import LOOK_ALIKES
from jobs.trial.lab.people_days import person_day
from jobs.trial.lab.planting import INCIDENTS, plan_cases
from jobs.trial.lab.service_days import platform_day, service_day

__all__ = ["main", "make_lab"]


def make_lab(
    folder: Path,
    *,
    seed: int,
    people: int = 120,
    services: int = 20,
    days: int = 35,
    end: date = date(2026, 10, 30),
    quiet: bool = False,
    progress: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Write a sample lab into `folder` (new or empty) and return what `truth.json` holds.

    A ``quiet`` lab has look-alikes and no incidents. Logs are made day by day, so memory stays
    bounded by a few days of records.
    """
    if people < 4 or services < 2 or days < 3:
        raise ValueError("a sample lab needs at least 4 people, 2 services and 3 days")
    folder = Path(folder)
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty; give an empty or new folder")
    folder.mkdir(parents=True, exist_ok=True)
    lab = build_lab(seed, people, services, days, end)
    plans = plan_cases(lab, (LOOK_ALIKES,) if quiet else (INCIDENTS, LOOK_ALIKES))
    gateway = Gateway(lab)
    plans += plan_api_cases(lab, gateway, quiet)
    write_context(lab, folder / "context")
    write_config(folder)
    feed = Feed(lab, folder)
    for day in range(-1, days + 1):  # local days at both ends reach into the window
        rng = np.random.default_rng([seed, 4, day + 1])
        for person in lab.people:
            person_day(lab, feed, person, day, rng)
        if 0 <= day < days:
            for service in lab.services:
                service_day(lab, feed, service, day, rng)
            platform_day(lab, feed, day, rng)
            gateway.day(feed, day)
            for plan in plans:
                if day in plan.days:
                    feed.case = plan.case
                    plan.act(feed, day)
                    feed.case = None
            if progress:
                progress(f"{lab.iso(day)}: {sum(feed.counts.values())} events so far")
            advance("days of the sample lab's logs", 1, days)
        deliver(feed, day - 1)
    for day in range(days, days + 3):
        deliver(feed, day)
    return write_truth(folder, lab, feed, [plan.case for plan in plans])


def main(argv: list[str] | None = None) -> int:
    """Command line of the generator."""
    parser = argparse.ArgumentParser(
        prog="python -m jobs.trial.lab",
        description="Write a sample lab: CloudTrail, GitHub, Kubernetes, Slurm and LiteLLM logs, "
        "planted incidents and legitimate look-alikes, context files, config.yml and truth.json.",
        epilog="example:  python -m jobs.trial.lab --out sample-lab --seed 7 --people 60 --days 21",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, required=True, help="new or empty folder to write into")
    parser.add_argument("--seed", type=int, required=True, help="same seed, same bytes")
    parser.add_argument("--people", type=int, default=120, help="humans (default 120, at least 4)")
    parser.add_argument(
        "--services", type=int, default=20, help="service identities (default 20, at least 2)"
    )
    parser.add_argument(
        "--days", type=int, default=35, help="days of logs (default 35, at least 3)"
    )
    parser.add_argument(
        "--end",
        type=date.fromisoformat,
        default=date(2026, 10, 30),
        help="last day, YYYY-MM-DD (default 2026-10-30)",
    )
    parser.add_argument(
        "--quiet", action="store_true", help="no incidents, so that every finding is false"
    )
    args = parser.parse_args(argv)
    try:
        truth = make_lab(
            args.out,
            seed=args.seed,
            people=args.people,
            services=args.services,
            days=args.days,
            end=args.end,
            quiet=args.quiet,
            progress=lambda line: print(line, flush=True),
        )
    except (ValueError, FileExistsError) as error:
        print(f"lab: {error}", file=sys.stderr)
        return 2
    print(
        f"{sum(truth['events'].values())} events, {len(truth['incidents'])} incidents, "
        f"{len(truth['look_alikes'])} look-alikes in {args.out}"
    )
    return 0
