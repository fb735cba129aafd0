"""Building the sample lab from its seed."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np

from jobs.trial.lab.assets import build_checkpoints, build_datasets, build_other_assets, build_repos
from jobs.trial.lab.names import ABROAD, LABS, RESEARCH, SITES, TEAMS
from jobs.trial.lab.population import build_people, build_services
from jobs.trial.lab.world import Lab, pick


def build_networks(
    rng: np.random.Generator, sites: list[str]
) -> tuple[list[tuple[str, str, str, str]], dict[str, list[str]], list[tuple[str, str]]]:
    """Networks from documentation and private ranges only; their countries depend on the seed."""
    rows = [
        ("10.0.0.0/10", "datacenter", "US", "64512"),
        ("10.64.0.0/10", "cloud", "US", "64513"),
        ("100.64.0.0/10", "vpn", sites[0], "64512"),
    ]
    rows += [(f"198.51.100.{32 * i}/27", "corp", c, "64512") for i, c in enumerate(sites)]
    residential: dict[str, list[str]] = {c: [] for c in sites}
    for i in range(16):
        country = sites[i] if i < len(sites) else pick(rng, sites)
        net = f"203.0.113.{16 * i}"
        rows.append((f"{net}/28", "external", country, str(64600 + int(rng.integers(0, 6)))))
        residential[country] += [f"203.0.113.{16 * i + j}" for j in range(1, 15)]
    foreign = []
    for i, country in enumerate(rng.permutation(ABROAD)[:8]):
        rows.append((f"192.0.2.{16 * i}/28", "external", str(country), str(64700 + i)))
        foreign.append((str(country), f"192.0.2.{16 * i + int(rng.integers(1, 15))}"))
    for i in range(8, 12):  # rented servers at home and abroad
        country = pick(rng, [*sites, *ABROAD])
        rows.append((f"192.0.2.{16 * i}/28", "external", country, str(64800 + i)))
        foreign.append((country, f"192.0.2.{16 * i + int(rng.integers(1, 15))}"))
    return rows, residential, foreign


def assign_habits(rng: np.random.Generator, lab: Lab) -> None:
    """Each person's usual assets, which drift from week to week."""
    weeks = lab.days // 7 + 3
    partners = {t: rng.choice(RESEARCH, 2, replace=False).tolist() for t in TEAMS}
    for p in lab.people:
        base = team_weights(rng, lab, p.team, partners)
        p.family_weights = []
        for _ in range(weeks):
            base = base * rng.lognormal(0, 0.35, len(base))
            p.family_weights.append(base / base.sum())
        w = np.array(
            [
                2.5
                if i < 4
                else 3.0
                if r.team == p.team
                else 0.25
                if r.team in partners[p.team]
                else 0.05
                for i, r in enumerate(lab.repos)
            ]
        ) * rng.gamma(0.6, 1.0, len(lab.repos))
        w[(w < 0.01) & (np.arange(len(w)) >= 4)] = 0.0
        p.repo_weights = w / w.sum()


def team_weights(
    rng: np.random.Generator, lab: Lab, team: str, partners: dict[str, list[str]]
) -> np.ndarray:
    """Preference for each family: own team most, partners less, the rest almost never."""
    w = np.zeros(len(lab.families))
    for i, f in enumerate(lab.families):
        if f.team == team:
            w[i] = rng.gamma(1.2, 1.0) + 0.2
        elif f.team in partners[team]:
            w[i] = 0.18 * rng.gamma(0.8, 1.0)
        elif f.sensitivity < 5 and rng.random() < 0.3:
            w[i] = 0.03 * rng.gamma(0.6, 1.0)
    if not w.any():
        w[int(rng.choice([i for i, f in enumerate(lab.families) if f.kind == "dataset"]))] = 1.0
    weights: np.ndarray = w / w.sum()
    return weights


def build_lab(seed: int, people: int, services: int, days: int, end: date) -> Lab:
    """Draw a whole lab from a seed."""
    rng = np.random.default_rng([seed, 1])
    name = pick(rng, LABS)
    others = rng.permutation([c for c in SITES if c != "US"])[: int(rng.integers(2, 4))]
    sites = ["US", *map(str, others)]
    networks, residential, foreign = build_networks(rng, sites)
    org = f"{name}-{pick(rng, ['ai', 'research', 'labs'])}"
    lab = Lab(
        seed,
        end - timedelta(days=days - 1),
        days,
        name,
        org,
        build_people(rng, people, days, sites, residential),
        build_services(rng, max(1, services - 1)),
        build_checkpoints(rng, name, days, sites) + build_datasets(rng, name),
        build_repos(rng, org, people),
        build_other_assets(),
        networks,
        residential,
        foreign,
    )
    assign_habits(rng, lab)
    return lab
