"""People and services of the sample lab."""

from __future__ import annotations

import numpy as np

from jobs.trial.lab.names import (
    FAMILY,
    GIVEN,
    HANDLE_A,
    HANDLE_B,
    NAMESPACES,
    SERVICE_KINDS,
    SITES,
    TEAMS,
    TITLES,
)
from jobs.trial.lab.world import Person, pick


def build_people(
    rng: np.random.Generator,
    count: int,
    days: int,
    sites: list[str],
    residential: dict[str, list[str]],
) -> list[Person]:
    """Humans with aliases, employment facts and habits."""
    team_of_each = _team_sizes(rng, count)
    names: set[tuple[str, str]] = set()
    site_share = np.array([0.6] + [0.4 / (len(sites) - 1)] * (len(sites) - 1))
    oidc = pick(rng, ["", "oidc:"])
    people: list[Person] = []
    for i, team in enumerate(rng.permutation(team_of_each)):
        name = _new_name(rng, names)
        team, country = str(team), str(pick(rng, sites, site_share))
        job = str(pick(rng, ["employee", "contractor", "vendor"], [0.86, 0.1, 0.04]))
        local = f"{name[0]}.{name[1]}".lower()
        email = f"{local}@example.com" if job == "employee" else f"{local}@example.org"
        _, s3, git, _, _ = TEAMS[team]
        p = Person(
            user_id=f"u{1000 + i * 7 + int(rng.integers(0, 7))}",
            email=email,
            name=" ".join(name),
            kind="human",
            team=team,
            country=country,
            zone=str(pick(rng, SITES[country])),
            title=TITLES.get(team, "Research Scientist"),
            employment=job,
            start=-int(rng.integers(30, 900)),
            github=f"{pick(rng, HANDLE_A)}-{pick(rng, HANDLE_B)}{rng.integers(1, 80) * 1000 + i}",
            k8s=oidc + email,
            slurm=f"{name[0][0]}{name[1][:6]}{i}".lower(),
            uid=20_000 + i * 3,
            iam_user=rng.random() < 0.1,
            rate=s3 * float(rng.lognormal(-0.25, 0.75)),
            git_rate=git * float(rng.lognormal(-0.2, 0.6)),
            hour=float(rng.normal(9.6, 0.9)),
            weekend=float(rng.beta(1, 8)),
            chain=float(rng.random() ** 3) if rng.random() < 0.5 else 0.0,
        )
        p.ips = _addresses(rng, residential[country], sites.index(country))
        p.agent = _client(rng)
        p.git_agent = f"git/2.{int(rng.integers(34, 47))}.{int(rng.integers(0, 4))}"
        if rng.random() < 0.35:  # a holiday
            begin, length = int(rng.integers(-4, days)), int(rng.integers(3, 12))
            p.away = set(range(begin, begin + length))
        people.append(p)
    _add_managers(rng, people)
    _add_turnover(rng, people, days)
    return people


def _team_sizes(rng: np.random.Generator, count: int) -> list[str]:
    """The team of each of `count` people, every team with at least one of them."""
    teams = list(TEAMS)[: min(count, max(5, min(len(TEAMS), count // 3)))]
    shares = rng.dirichlet(np.array([TEAMS[t][0] for t in teams]) * 120)
    sizes = np.maximum(1, np.floor(shares * count)).astype(int)
    while sizes.sum() != count:
        sizes[int(rng.integers(len(teams)))] += 1 if sizes.sum() < count else -1
        sizes = np.maximum(sizes, 1)
    return [team for team, size in zip(teams, sizes, strict=True) for _ in range(size)]


def _new_name(rng: np.random.Generator, taken: set[tuple[str, str]]) -> tuple[str, str]:
    """Given and family name of a new person; the name is added to those in use."""
    while True:
        name = (pick(rng, GIVEN), pick(rng, FAMILY))
        if name not in taken:
            taken.add(name)
            return name


def _addresses(rng: np.random.Generator, home: list[str], site: int) -> dict[str, str]:
    """Addresses of a person by place; `site` is the number of their office."""
    return {
        "home": pick(rng, home),
        "corp": f"198.51.100.{32 * site + int(rng.integers(1, 30))}",
        "vpn": f"100.{64 + int(rng.integers(0, 60))}.{int(rng.integers(0, 250))}"
        f".{int(rng.integers(1, 250))}",
        "devbox": f"10.{int(rng.choice([20, 21, 80, 81]))}.{int(rng.integers(0, 250))}"
        f".{int(rng.integers(1, 250))}",
    }


def _client(rng: np.random.Generator) -> str:
    """User agent of a person's client for objects."""
    py = f"3.{int(rng.integers(10, 13))}.{int(rng.integers(1, 9))}"
    client: str = pick(
        rng,
        [
            f"[aws-cli/2.{int(rng.integers(11, 19))}.{int(rng.integers(0, 20))} Python/{py} "
            "Linux/6.5.0 exe/x86_64]",
            f"[Boto3/1.34.{rng.integers(1, 140)} md/Botocore#1.34 os/linux lang/python#{py}]",
            f"[aws-cli/2.{int(rng.integers(11, 19))}.4 Python/{py} Darwin/23.4.0 exe/arm64]",
            "[aws-sdk-go/1.44.256 (go1.20.4; linux; amd64) S3Manager]",
        ],
    )
    return client


def _add_managers(rng: np.random.Generator, people: list[Person]) -> None:
    """The longest-serving member leads each team; one lead leads the others."""
    leads: dict[str, Person] = {}
    for p in sorted(people, key=lambda p: (p.start, p.user_id)):
        leads.setdefault(p.team, p)
    top = pick(rng, list(leads.values()))
    for p in people:
        lead = leads[p.team]
        p.manager = lead.user_id if p is not lead else ("" if p is top else top.user_id)
        if p is lead:
            p.title = f"Head of {p.team}"


def _add_turnover(rng: np.random.Generator, people: list[Person], days: int) -> None:
    """A few joiners inside the window and a few innocent leavers on notice."""
    order = rng.permutation(len(people))
    n = max(1, len(people) // 40)
    for i in order[:n]:
        people[i].start = int(rng.integers(2, max(3, days - 2)))
    for i in order[n : 2 * n + 1]:
        people[i].notice = int(rng.integers(0, max(1, days - 3)))
        people[i].end = people[i].notice + int(rng.integers(14, 45))


def build_services(rng: np.random.Generator, count: int) -> list[Person]:
    """Service identities; kinds beyond the list repeat with a region suffix."""
    kinds = list(SERVICE_KINDS)
    services = []
    for i in range(count):
        kind = kinds[i % len(kinds)]
        name = kind if i < len(kinds) else f"{kind}-{pick(rng, ['eu', 'dr', 'b'])}{i // len(kinds)}"
        s = make_service(rng, f"svc{100 + i}", name, kind)
        services.append(s)
    return services


def make_service(rng: np.random.Generator, user_id: str, name: str, kind: str) -> Person:
    """One service identity with its role, service account and host addresses."""
    ns = SERVICE_KINDS[kind][0]
    team = NAMESPACES[ns][0]
    role = f"{name}-role" if rng.random() < 0.5 else f"prod-{name}"
    s = Person(
        user_id,
        f"{name}@example.com",
        name,
        "service",
        team,
        "",
        title=kind,
        employment="",
        role=role,
        k8s=f"system:serviceaccount:{ns}:{name}",
        rate=float(rng.lognormal(0, 0.3)),
    )
    if SERVICE_KINDS[kind][6]:
        s.github = f"{name}[bot]" if rng.random() < 0.5 else f"svc-{name}"
    net = int(rng.choice([10, 11, 64, 65, 90]))
    s.ips = {
        f"n{i}": f"10.{net}.{int(rng.integers(0, 250))}.{int(rng.integers(1, 250))}"
        for i in range(int(rng.integers(2, 7)))
    }
    s.agent = pick(
        rng,
        [
            "[Boto3/1.34.84 md/Botocore#1.34.84 os/linux lang/python#3.11.8]",
            "[aws-sdk-go-v2/1.26 os/linux lang/go#1.22.2 md/GOARCH#amd64]",
            "[aws-sdk-java/2.25.11 Linux/6.1 OpenJDK_64-Bit_Server_VM/17]",
        ],
    )
    return s
