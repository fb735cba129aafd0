"""Cases of build pipelines, each with random numbers of its own.

They are cast after all other cases, so that these stay as they are.
"""

from __future__ import annotations

from jobs.trial.lab.casting import (
    Plan,
    Rng,
    any_days,
    case_of,
    cast,
    daily_portions,
    recent_days,
    research_user,
    take,
    target,
)
from jobs.trial.lab.feed import Feed
from jobs.trial.lab.look_alikes import ticket
from jobs.trial.lab.names import SERVICE_KINDS
from jobs.trial.lab.records import cloudtrail, github
from jobs.trial.lab.service_days import hosts, night_start
from jobs.trial.lab.world import DAY, Lab, Person, pick

BROWSER = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)"


def _builders(lab: Lab) -> list[Person]:
    """Services that fetch repositories; those of the build cluster alone where there are any."""
    # The last number of a kind is that of its git operations a day.
    found = [s for s in lab.services if SERVICE_KINDS[s.title][-1] > 0]
    return [s for s in found if SERVICE_KINDS[s.title][0] == "ci"] or found


def ci_after_workflow(lab: Lab, rng: Rng, last: bool) -> Plan | None:
    """A person changes what a repository's builds may do; later the CI service reads weights."""
    reads = recent_days(lab, rng, int(rng.integers(1, 3)), last)
    changed = max(0, reads[0] - int(rng.integers(1, 8)))
    days = sorted({changed, *reads})
    p = cast(lab, rng, lambda p: research_user(p) and not p.hide_github, [changed, reads[-1]])
    asset = (
        target(lab, rng, reads[0], lambda a: a.team != p.team and a.sensitivity >= 4) if p else None
    )
    services = _builders(lab)
    if p is None or asset is None or not services:
        return None
    s, repo = pick(rng, services), pick(rng, lab.repos)
    verb = pick(rng, ["protected_branch.policy_override", "environment.create",
                      "repo.create_deploy_key", "repo.update_actions_settings"])  # fmt: skip
    share, hour = float(rng.uniform(0.3, 0.9)), float(rng.uniform(0, 24))
    portions = daily_portions(rng, asset, share, reads)

    def act(feed: Feed, day: int) -> None:
        if day == changed:
            t = night_start(lab, p, day, p.hour + 3)
            github.event(feed, t, p.github, verb, repo, p.ips["vpn"], BROWSER, "web")
        if day in reads:
            t = lab.t0 + day * DAY + min(hour, 22) * 3600
            who = cloudtrail.sign_in(feed, s, t, hosts(s)[0])
            take(feed, rng, who, asset, portions[reads.index(day)].tolist(), t, 4000, 1)

    case = case_of(
        "ci_after_workflow",
        True,
        [p],
        [asset],
        "A person changes a repository's builds; later the CI service reads strange weights.",
        len(asset.keys),
        share=share,
        verb=verb,
        service=s.user_id,
        days_between=reads[0] - changed,
    )
    return Plan(case, days, act)


def runner_with_ticket(lab: Lab, rng: Rng, last: bool) -> Plan | None:
    """A platform engineer registers a runner, for which there is a ticket; builds go on as ever."""
    days = any_days(lab, rng, 1)
    p = cast(lab, rng, lambda p: p.team == "platform" and not p.hide_github, days)
    p = p or cast(lab, rng, lambda p: not p.hide_github, days)
    if p is None:
        return None
    number = ticket(lab, rng, p, f"github://{lab.org}/*", days[0] - 1, days[0] + 2, "new runner")

    def act(feed: Feed, day: int) -> None:
        t = night_start(lab, p, day, p.hour + 2, 600)
        for verb in ("org.register_self_hosted_runner", "org.runner_group_runners_added"):
            github.event(feed, t, p.github, verb, None, p.ips["vpn"], BROWSER, "web")
            t += 200

    text = "A platform engineer registers a runner with a ticket."
    return Plan(case_of("runner_with_ticket", False, [p], [], text, ticket=number), days, act)


BUILD_INCIDENTS = (ci_after_workflow,)
BUILD_LOOK_ALIKES = (runner_with_ticket,)
