"""Cases of strange places and of long absence, each with random numbers of its own.

They are cast after all other cases, so that these stay as they are.
"""

from __future__ import annotations

from dataclasses import replace

from jobs.trial.lab.casting import (
    Plan,
    Rng,
    case_of,
    daily_portions,
    home_or,
    recent_days,
    research_user,
    some_of,
    take,
    target,
)
from jobs.trial.lab.feed import Feed
from jobs.trial.lab.habits import available
from jobs.trial.lab.names import FAMILY, GIVEN, HANDLE_A, HANDLE_B
from jobs.trial.lab.people_days import person_day
from jobs.trial.lab.records import cloudtrail
from jobs.trial.lab.service_days import night_start
from jobs.trial.lab.world import Asset, Lab, Person, pick

LEAVE_DAYS = 35
WORKED_BEFORE = 4


def new_place_theft(lab: Lab, rng: Rng, last: bool) -> Plan | None:
    """A thief abroad, or on a rented server, reads with a person's session; the person works on."""
    days = recent_days(lab, rng, int(rng.integers(1, 3)), last)
    p = _at_work(lab, rng, days)
    asset = target(lab, rng, days[0], lambda a: a.sensitivity >= 4) if p else None
    place = _strange_place(lab, rng)
    if p is None or asset is None or place is None:
        return None
    country, ip = place
    share, hour = float(rng.uniform(0.2, 0.9)), float(rng.uniform(0, 24))
    portions = daily_portions(rng, asset, share, days)

    def act(feed: Feed, day: int) -> None:
        t = night_start(lab, p, day, hour, 7000)
        who = cloudtrail.sign_in(feed, p, t, ip)
        take(feed, rng, who, asset, portions[days.index(day)].tolist(), t, 6000, 1)

    return Plan(
        case_of(
            "new_place_theft",
            True,
            [p],
            [asset],
            f"A person's session reads a checkpoint from {country}, where nobody else is.",
            len(asset.keys),
            share=share,
            country=country,
            address=ip,
            days=len(days),
        ),
        days,
        act,
    )


def residency_breach(lab: Lab, rng: Rng, last: bool) -> Plan | None:
    """A person reads from abroad what must not leave some countries."""
    days = recent_days(lab, rng, 1, last)
    p, place = _at_work(lab, rng, days), _strange_place(lab, rng)
    asset = _bounded_asset(lab, rng, days[0])
    if p is None or asset is None or place is None or place[0] in asset.allowed:
        return None
    country, ip = place
    share, hour = float(rng.uniform(0.1, 0.6)), p.hour + float(rng.uniform(0, 8))

    def act(feed: Feed, day: int) -> None:
        t = night_start(lab, p, day, hour, 5000)
        who = cloudtrail.sign_in(feed, p, t, ip)
        take(feed, rng, who, asset, some_of(rng, asset, share), t, 4000, 1)

    return Plan(
        case_of(
            "residency_breach",
            True,
            [p],
            [asset],
            f"A person reads from {country} a checkpoint that {', '.join(asset.allowed)} only may.",
            len(asset.keys),
            share=share,
            country=country,
        ),
        days,
        act,
    )


def dormant_wakes(lab: Lab, rng: Rng, last: bool) -> Plan | None:
    """An account that nobody used in the whole window reads a checkpoint."""
    days = recent_days(lab, rng, int(rng.integers(1, 3)), last)
    asset = target(lab, rng, days[0], lambda a: a.sensitivity >= 3)
    if asset is None:
        return None
    p = _another_person(lab, rng)
    share, hour = float(rng.uniform(0.2, 0.9)), float(rng.uniform(0, 24))
    ip = home_or(rng, p, "vpn", "home", "devbox")
    portions = daily_portions(rng, asset, share, days)

    def act(feed: Feed, day: int) -> None:
        t = night_start(lab, p, day, hour, 7000)
        who = cloudtrail.sign_in(feed, p, t, ip)
        take(feed, rng, who, asset, portions[days.index(day)].tolist(), t, 6000, 1)

    return Plan(
        case_of(
            "dormant_wakes",
            True,
            [p],
            [asset],
            "An account without any use for weeks reads a checkpoint.",
            len(asset.keys),
            share=share,
            days=len(days),
        ),
        days,
        act,
    )


def long_leave_return(lab: Lab, rng: Rng, last: bool) -> Plan | None:
    """A person comes back after five weeks and works as usual."""
    if lab.days < LEAVE_DAYS + 2 * WORKED_BEFORE:
        return None
    p = _another_person(lab, rng)
    gone = int(rng.integers(WORKED_BEFORE, lab.days - LEAVE_DAYS - WORKED_BEFORE + 1))
    back = list(range(gone + LEAVE_DAYS, lab.days))
    case = case_of(
        "long_leave_return",
        False,
        [p],
        [],
        "A person works as usual after five weeks of leave.",
        None,
        days_away=LEAVE_DAYS,
    )
    for d in back:
        lab.tagged[p.user_id, d] = case
    at_work = replace(p, away=set())

    def act(feed: Feed, day: int) -> None:
        person_day(lab, feed, at_work, day, rng)

    return Plan(case, [*range(gone), *back], act)


PLACE_INCIDENTS = (new_place_theft, residency_breach, dormant_wakes)
PLACE_LOOK_ALIKES = (long_leave_return,)


def _at_work(lab: Lab, rng: Rng, days: list[int]) -> Person | None:
    """An established person without another case who is at work around the days anyway."""
    free = [
        p
        for p in lab.people
        if p.user_id not in lab.cast
        and p.start < -14
        and p.notice is None
        and research_user(p)
        and not p.away & set(range(min(days) - 3, max(days) + 2))
    ]
    if not free:
        return None
    person = pick(rng, free)
    lab.cast.add(person.user_id)
    return person


def _strange_place(lab: Lab, rng: Rng) -> tuple[str, str] | None:
    """A country without an office, and an address there from which nobody works."""
    used = {ip for p in lab.people for ip in p.trip.values()}
    countries = {country for country, ip in lab.foreign if ip in used}
    free = [
        (country, ip)
        for country, ip in lab.foreign
        if country not in lab.residential and country not in countries
    ]
    return pick(rng, free) if free else None


def _bounded_asset(lab: Lab, rng: Rng, day: int) -> Asset | None:
    """A checkpoint that some countries only may read; without one, the countries of the sites."""
    asset = target(lab, rng, day, lambda a: bool(a.allowed))
    if asset is not None:
        return asset
    asset = target(lab, rng, day, lambda a: a.sensitivity >= 4)
    for family in (f for f in lab.families if asset in f.assets):
        family.allowed = tuple(lab.residential)
        for each in available(family.assets, lab.days):
            each.allowed = family.allowed
    return asset


def _another_person(lab: Lab, rng: Rng) -> Person:
    """A further person of the directory, like another one, whose habits make no records."""
    model = pick(rng, [p for p in lab.people if research_user(p)] or lab.people)
    names = {p.name for p in lab.people}
    name = next(
        n for n in iter(lambda: f"{pick(rng, GIVEN)} {pick(rng, FAMILY)}", "") if n not in names
    )
    local, number = name.replace(" ", ".").lower(), 3000 + len(lab.people)
    p = replace(
        model,
        user_id=f"u9{number}",
        name=name,
        email=f"{local}@example.com",
        employment="employee",
        title="Research Scientist",
        start=-int(rng.integers(200, 900)),
        notice=None,
        end=None,
        github=f"{pick(rng, HANDLE_A)}-{pick(rng, HANDLE_B)}{number}",
        k8s=f"{local}@example.com",
        slurm=f"{local[0]}{local.rsplit('.')[-1][:6]}{number}",
        uid=20_000 + number * 3,
        iam_user=False,
        hide_github=False,
        away=set(range(-2, lab.days + 2)),
        ips=_other_addresses(lab, rng, model),
        trip={},
        surge={},
        new_team=None,
    )
    lab.people.append(p)
    lab.cast.add(p.user_id)
    return p


def _other_addresses(lab: Lab, rng: Rng, model: Person) -> dict[str, str]:
    """Addresses beside those of ``model``."""
    office, host = model.ips["corp"].rsplit(".", 1)
    first = int(host) // 32 * 32
    return {
        "home": pick(rng, lab.residential[model.country]),
        "corp": f"{office}.{first + int(rng.integers(1, 30))}",
        **{
            place: f"{model.ips[place].rsplit('.', 1)[0]}.{int(rng.integers(1, 250))}"
            for place in ("vpn", "devbox")
        },
    }
