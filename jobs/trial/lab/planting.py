"""Planting incidents, look-alikes and decoys in the sample lab."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from jobs.trial.lab.cases_by_build import BUILD_INCIDENTS, BUILD_LOOK_ALIKES
from jobs.trial.lab.cases_by_gap import GAP_INCIDENTS, GAP_LOOK_ALIKES
from jobs.trial.lab.cases_by_grant import GRANT_INCIDENTS, GRANT_LOOK_ALIKES
from jobs.trial.lab.cases_by_job import JOB_INCIDENTS, JOB_LOOK_ALIKES
from jobs.trial.lab.cases_by_place import PLACE_INCIDENTS, PLACE_LOOK_ALIKES
from jobs.trial.lab.cases_by_rule import RULE_INCIDENTS, RULE_LOOK_ALIKES
from jobs.trial.lab.cases_by_stage import STAGE_INCIDENTS, STAGE_LOOK_ALIKES
from jobs.trial.lab.cases_by_team import TEAM_INCIDENTS, TEAM_LOOK_ALIKES
from jobs.trial.lab.casting import Plan, Rng
from jobs.trial.lab.incidents_by_accounts import (
    copy_to_foreign_account,
    exec_into_serving,
    job_cover,
    service_creds_outside,
    stolen_token_enumeration,
)
from jobs.trial.lab.incidents_by_people import (
    collusion,
    foreign_team_night,
    gradual_ramp,
    leaver_bulk_copy,
    mass_clone,
    slow_drip,
    zip_before_leaving,
)
from jobs.trial.lab.look_alikes import LOOK_ALIKES, ticket
from jobs.trial.lab.world import (
    Lab,
    pick,
)

Cases = tuple[Callable[[Lab, Rng, bool], Plan | None], ...]
INCIDENTS: Cases = (
    leaver_bulk_copy,
    foreign_team_night,
    slow_drip,
    collusion,
    mass_clone,
    zip_before_leaving,
    service_creds_outside,
    stolen_token_enumeration,
    exec_into_serving,
    gradual_ramp,
    copy_to_foreign_account,
    job_cover,
)
ADDED: tuple[tuple[int, Cases, Cases], ...] = (
    (16, PLACE_INCIDENTS, PLACE_LOOK_ALIKES),
    (18, RULE_INCIDENTS, RULE_LOOK_ALIKES),
    (20, JOB_INCIDENTS, JOB_LOOK_ALIKES),
    (22, GRANT_INCIDENTS, GRANT_LOOK_ALIKES),
    (24, STAGE_INCIDENTS, STAGE_LOOK_ALIKES),
    (26, GAP_INCIDENTS, GAP_LOOK_ALIKES),
    (28, BUILD_INCIDENTS, BUILD_LOOK_ALIKES),
    (30, TEAM_INCIDENTS, TEAM_LOOK_ALIKES),
)
"""Incidents and look-alikes that are cast after the others, with the number of their generator."""


def plan_cases(lab: Lab, groups: Sequence[Cases] = (INCIDENTS, LOOK_ALIKES)) -> list[Plan]:
    """Cast all incidents and look-alikes of ``groups``, in an order drawn from the seed."""
    rng = np.random.default_rng([lab.seed, 3])
    plans: list[Plan] = []
    final = set(rng.permutation(len(INCIDENTS))[:3].tolist())  # these reach the last day
    limit = max(4, len(lab.people) * 2 // 5)  # leave most people without a case
    for group in groups:
        for n in rng.permutation(len(group)):
            if group is LOOK_ALIKES or len(lab.cast) < 2 * limit:
                plan = group[n](lab, rng.spawn(1)[0], group is INCIDENTS and int(n) in final)
                if plan is not None:
                    plans.append(plan)
    add_decoys(lab, rng)
    plans += plan_added(lab, INCIDENTS in groups)
    return sorted(plans, key=lambda plan: (not plan.case.is_incident, plan.case.case_id))


def plan_added(lab: Lab, with_incidents: bool) -> list[Plan]:
    """Cast the cases of ADDED, each with random numbers of its own.

    ``with_incidents``: not the look-alikes alone.
    """
    plans = []
    for number, incidents, look_alikes in ADDED:
        makers = (*incidents, *look_alikes)
        generators = np.random.default_rng([lab.seed, number]).spawn(len(makers))
        for make, rng in zip(makers, generators, strict=True):
            if with_incidents or make in look_alikes:
                plans.append(make(lab, rng, False))
    return [plan for plan in plans if plan is not None]


def add_decoys(lab: Lab, rng: Rng) -> None:
    """Ordinary tickets, and a few people whose GitHub login is not in the directory."""
    for _ in range(max(2, len(lab.people) // 12)):
        p, fam, day = (
            pick(rng, lab.people),
            pick(rng, lab.families),
            int(rng.integers(-20, lab.days)),
        )
        ticket(
            lab,
            rng,
            p,
            f"s3://{fam.bucket}/{fam.prefix}/*",
            day,
            day + int(rng.integers(1, 14)),
            pick(rng, ["ablation study", "quarterly audit", "debugging", "paper figures"]),
        )
    for p in lab.people:
        if p.user_id not in lab.cast and rng.random() < 0.03:
            p.hide_github = True
