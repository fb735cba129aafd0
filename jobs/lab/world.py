"""The sample lab itself: its networks, people, services and assets, all drawn from one seed."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

DAY = 86_400
ACCOUNT, BACKUP_ACCOUNT, OUTSIDE_ACCOUNT = "111122223333", "444455556666", "999988887777"
OWN_ACCOUNTS = (ACCOUNT, BACKUP_ACCOUNT)
SLURM_ZONE = "America/Los_Angeles"
K8S_CLUSTER, SLURM_CLUSTER = "prod-east", "a100"

GIVEN = [
    "Ada",
    "Amir",
    "Ana",
    "Arun",
    "Beatriz",
    "Bo",
    "Carmen",
    "Chen",
    "Dana",
    "Diego",
    "Elif",
    "Emeka",
    "Emma",
    "Farid",
    "Freya",
    "Gita",
    "Hana",
    "Hugo",
    "Ines",
    "Ivan",
    "Jana",
    "Jonas",
    "Kaito",
    "Kira",
    "Lars",
    "Leila",
    "Luca",
    "Mai",
    "Mara",
    "Mateo",
    "Mina",
    "Nadia",
    "Nils",
    "Noor",
    "Olga",
    "Omar",
    "Paula",
    "Petra",
    "Quinn",
    "Rafael",
    "Rosa",
    "Sana",
    "Sven",
    "Tara",
    "Tomas",
    "Uma",
    "Viktor",
    "Wen",
    "Yara",
    "Yusuf",
    "Zoe",
    "Zoran",
]
FAMILY = [
    "Abara",
    "Adler",
    "Almeida",
    "Arslan",
    "Bakker",
    "Banerjee",
    "Bauer",
    "Bianchi",
    "Castillo",
    "Cho",
    "Costa",
    "Dahl",
    "Demir",
    "Dubois",
    "Eriksen",
    "Farouk",
    "Fischer",
    "Fontaine",
    "Garcia",
    "Gupta",
    "Haddad",
    "Hansen",
    "Horvat",
    "Ito",
    "Ivanova",
    "Jensen",
    "Kaya",
    "Keller",
    "Khan",
    "Kowalski",
    "Kumar",
    "Laurent",
    "Lindgren",
    "Lopez",
    "Marino",
    "Mendes",
    "Meyer",
    "Moreau",
    "Nakata",
    "Novak",
    "Okafor",
    "Osei",
    "Park",
    "Patel",
    "Popescu",
    "Quist",
    "Rossi",
    "Sato",
    "Schulz",
    "Silva",
    "Singh",
    "Svoboda",
    "Tanaka",
    "Torres",
    "Umarov",
    "Vogel",
    "Weber",
    "Wilson",
    "Yamada",
    "Zhang",
]
HANDLE_A = [
    "brisk",
    "cobalt",
    "dusty",
    "ember",
    "fuzzy",
    "gentle",
    "hollow",
    "ivory",
    "jolly",
    "keen",
    "lunar",
    "mossy",
    "nimble",
]
HANDLE_B = [
    "acorn",
    "badger",
    "comet",
    "dune",
    "falcon",
    "glacier",
    "heron",
    "iris",
    "kestrel",
    "lynx",
    "mango",
    "otter",
    "pixel",
]
STARS = [
    "altair",
    "antares",
    "bellatrix",
    "capella",
    "castor",
    "deneb",
    "electra",
    "hadar",
    "izar",
    "kochab",
    "lyra",
    "mimosa",
    "mira",
    "nashira",
    "polaris",
    "pollux",
    "rigel",
    "sabik",
    "sargas",
    "spica",
    "tarazed",
    "vega",
    "wezen",
    "zaurak",
]
LABS = [
    "northlab",
    "tidewater",
    "copperleaf",
    "quietfield",
    "longview",
    "brightmoor",
    "harborview",
    "stonepine",
]
TOPICS = [
    "kernel-fusion",
    "trainer",
    "tokenizer",
    "rl-recipes",
    "reward-models",
    "evals-core",
    "harness",
    "serving-core",
    "quantize",
    "router",
    "sharding",
    "datapipes",
    "dedup",
    "crawl-filter",
    "probes",
    "sae-tools",
    "circuits",
    "safety-cases",
    "redteam",
    "infra-live",
    "terraform",
    "helm-charts",
    "observability",
    "auth-gateway",
    "billing",
    "sdk-python",
    "sdk-js",
    "console",
    "docs-site",
    "policy-notes",
    "handbook",
    "loadtest",
    "scheduler",
    "ckpt-tools",
    "lora-kit",
    "distill",
    "agents",
    "sandbox",
    "labeling",
    "speech",
    "vision-enc",
    "long-context",
    "moe-router",
    "optimizers",
    "schedules",
    "scaling-laws",
]
DATASETS = [
    "web-crawl",
    "code-mix",
    "math-proofs",
    "dialog-sft",
    "preference-pairs",
    "multilingual",
    "books-clean",
    "safety-prompts",
    "tool-traces",
    "eval-holdout",
    "long-docs",
    "image-caps",
    "synthetic-qa",
    "science",
]

# team: (share of the headcount, object-store, repository, cluster and batch-job intensity)
TEAMS: dict[str, tuple[float, float, float, float, float]] = {
    "pretraining": (0.15, 1.3, 0.9, 0.4, 1.4),
    "posttraining": (0.13, 1.2, 1.0, 0.4, 1.2),
    "inference": (0.11, 0.8, 1.1, 1.6, 0.4),
    "evals": (0.09, 1.1, 0.8, 0.5, 0.9),
    "interpretability": (0.09, 1.2, 0.8, 0.3, 1.0),
    "data": (0.10, 1.6, 0.8, 0.5, 0.5),
    "platform": (0.10, 0.6, 1.3, 2.0, 0.2),
    "security": (0.05, 0.3, 0.8, 0.9, 0.0),
    "product": (0.10, 0.2, 1.2, 0.3, 0.0),
    "safety": (0.05, 0.7, 0.6, 0.2, 0.5),
    "policy": (0.03, 0.05, 0.2, 0.0, 0.0),
}
RESEARCH = ("pretraining", "posttraining", "inference", "evals", "interpretability", "safety")
TITLES = {
    "data": "Data Engineer",
    "platform": "Site Reliability Engineer",
    "policy": "Policy Analyst",
    "security": "Security Engineer",
    "product": "Software Engineer",
}
SITES = {
    "US": ("America/Los_Angeles", "America/New_York"),
    "GB": ("Europe/London",),
    "DE": ("Europe/Berlin",),
    "FR": ("Europe/Paris",),
    "CA": ("America/Toronto",),
    "IN": ("Asia/Kolkata",),
    "JP": ("Asia/Tokyo",),
    "CH": ("Europe/Zurich",),
}
ABROAD = ("AT", "BR", "ES", "IS", "KR", "MX", "NO", "PT", "SG", "TH", "TR", "ZA")
NAMESPACES = {
    "serving": ("inference", 5),
    "gateway": ("product", 3),
    "evals": ("evals", 3),
    "ci": ("platform", 3),
    "monitoring": ("platform", 2),
    "datapipes": ("data", 3),
    "notebooks": ("interpretability", 3),
    "training": ("pretraining", 4),
}

# name: (namespace, reads, writes, copies and listings in the object store, cluster calls,
#        git operations) a day
SERVICE_KINDS: dict[str, tuple[str, int, int, int, int, int, int]] = {
    "eval-sweeper": ("evals", 160, 10, 0, 20, 120, 0),
    "checkpoint-writer": ("training", 0, 260, 0, 30, 60, 0),
    "data-loader": ("datapipes", 1500, 0, 0, 60, 90, 0),
    "serving": ("serving", 420, 0, 0, 10, 420, 0),
    "ci-bot": ("ci", 40, 30, 0, 10, 180, 420),
    "backup": ("monitoring", 0, 0, 380, 60, 20, 60),
    "metrics-exporter": ("monitoring", 0, 90, 0, 420, 480, 0),
    "log-shipper": ("monitoring", 0, 620, 0, 10, 200, 0),
    "autoscaler": ("serving", 0, 0, 0, 0, 400, 0),
    "dedup-worker": ("datapipes", 480, 200, 0, 30, 60, 0),
    "tokenizer-build": ("datapipes", 180, 90, 0, 10, 30, 30),
    "model-registry": ("gateway", 30, 10, 30, 260, 90, 10),
    "gc-cleaner": ("monitoring", 0, 0, 0, 240, 40, 0),
    "safety-filter": ("gateway", 120, 30, 0, 10, 240, 0),
    "redteam-runner": ("evals", 140, 40, 0, 10, 70, 20),
    "cost-reporter": ("monitoring", 20, 4, 0, 120, 60, 0),
    "image-builder": ("ci", 30, 40, 0, 10, 160, 160),
    "notebook-hub": ("notebooks", 60, 30, 0, 30, 260, 20),
    "cert-manager": ("gateway", 0, 0, 0, 0, 220, 0),
}


@dataclass
class Family:
    """Things that are worked on together: the checkpoints of one run, or one dataset."""

    name: str
    kind: str
    team: str
    sensitivity: int
    bucket: str
    prefix: str
    allowed: tuple[str, ...] = ()
    assets: list[Asset] = field(default_factory=list)


@dataclass
class Asset:
    """One row of assets.csv and, for object stores, the keys and sizes behind it."""

    asset_id: str
    kind: str
    name: str
    team: str
    sensitivity: int
    pattern: str
    bucket: str = ""
    keys: list[str] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    allowed: tuple[str, ...] = ()
    born: int = -999
    listed: bool = True
    declared: bool = True


@dataclass
class Person:
    """A directory identity (human or service) with the habits its activity is drawn from."""

    user_id: str
    email: str
    name: str
    kind: str
    team: str
    country: str
    zone: str = "UTC"
    title: str = ""
    manager: str = ""
    employment: str = "employee"
    start: int = -999
    notice: int | None = None
    end: int | None = None
    github: str = ""
    k8s: str = ""
    slurm: str = ""
    uid: int = 0
    iam_user: bool = False
    role: str = ""
    hide_github: bool = False
    # habits
    rate: float = 1.0
    git_rate: float = 1.0
    hour: float = 9.5
    weekend: float = 0.1
    chain: float = 0.0
    away: set[int] = field(default_factory=set)
    ips: dict[str, str] = field(default_factory=dict)
    agent: str = ""
    git_agent: str = ""
    family_weights: list[np.ndarray] = field(default_factory=list)
    repo_weights: np.ndarray = field(default_factory=lambda: np.zeros(0))
    trip: dict[int, str] = field(default_factory=dict)
    surge: dict[int, float] = field(default_factory=dict)
    new_team: tuple[int, str] | None = None


@dataclass
class Lab:
    """Everything fixed before the first log line is written."""

    seed: int
    first: date
    days: int
    name: str
    org: str
    people: list[Person]
    services: list[Person]
    families: list[Family]
    repos: list[Asset]
    others: list[Asset]
    networks: list[tuple[str, str, str, str]]
    residential: dict[str, list[str]]
    foreign: list[tuple[str, str]]
    approvals: list[tuple[str, str, str, str, str, str, str]] = field(default_factory=list)
    cast: set[str] = field(default_factory=set)
    tagged: dict[tuple[str, int], object] = field(default_factory=dict)

    @property
    def t0(self) -> int:
        """Epoch seconds of the window's first midnight, UTC."""
        return int((self.first - date(1970, 1, 1)).total_seconds())

    def date_of(self, day: int) -> date:
        """Calendar date of a day index."""
        return self.first + timedelta(days=day)

    def iso(self, day: int | None) -> str:
        """ISO date of a day index, empty for none."""
        return "" if day is None else self.date_of(day).isoformat()

    def assets(self) -> list[Asset]:
        """All assets, listed in assets.csv or not."""
        return [a for f in self.families for a in f.assets] + self.repos + self.others


_OFFSETS: dict[tuple[str, date], float] = {}


def utc_offset(zone: str, day: date) -> float:
    """Hours a zone is ahead of UTC at noon of a day."""
    key = (zone, day)
    if key not in _OFFSETS:
        noon = datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo(zone))
        _OFFSETS[key] = noon.utcoffset().total_seconds() / 3600  # type: ignore[union-attr]
    return _OFFSETS[key]


def pick(rng: np.random.Generator, items, p=None):
    """One element of a sequence (numpy's choice would turn dataclasses into arrays)."""
    return items[int(rng.choice(len(items), p=p))]


def build_networks(rng: np.random.Generator, sites: list[str]):
    """Address plan from documentation and private ranges only; countries differ by seed."""
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


def shard_keys(style: int, count: int) -> list[str]:
    """Object names of a checkpoint of `count` shards in one of the usual layouts."""
    if style == 0:
        return [f"model-{i:05d}-of-{count:05d}.safetensors" for i in range(1, count + 1)]
    if style == 1:
        return [f"__{i // 2}_{i % 2}.distcp" for i in range(count)]
    return [f"mp_rank_{i % 8:02d}_pp_{i // 8:03d}/model_states.pt" for i in range(count)]


def build_checkpoints(rng: np.random.Generator, lab: str, days: int, sites: list[str]):
    """Training runs with their saved steps; live runs get new steps inside the window."""
    families = []
    teams = [
        "pretraining",
        "posttraining",
        "inference",
        "pretraining",
        "posttraining",
        "evals",
        "interpretability",
        "pretraining",
        "posttraining",
        "safety",
    ]
    teams = [str(t) for t in rng.permutation(teams)]
    names = rng.permutation(STARS)
    for i in range(int(rng.integers(7, 10))):
        team, name = teams[i], f"{names[i]}-{pick(rng, ['7b', '34b', '70b', 'moe', 'xl', 'base'])}"
        sensitivity = 5 if i < 3 else int(rng.integers(3, 6))
        shards = int(
            pick(
                rng,
                [32, 48, 64, 96, 128, 192, 256, 384, 512],
                [0.17, 0.15, 0.18, 0.14, 0.14, 0.1, 0.06, 0.03, 0.03],
            )
        )
        size, style = int(rng.lognormal(21.3, 0.6)), int(rng.integers(3))
        bucket = f"{lab}-ckpt" if i % 3 else f"{lab}-ckpt-frontier"
        run = f"run-{int(rng.integers(1, 40))}"
        allowed = tuple(sites) if sensitivity == 5 and rng.random() < 0.4 else ()
        fam = Family(name, "checkpoint", team, sensitivity, bucket, f"{name}/{run}", allowed)
        live, step, cadence = rng.random() < 0.45, 0, float(rng.uniform(4.5, 9))
        steps = int(rng.integers(2, 5))
        births = [-999] * steps
        if live:
            births += [int(x) for x in np.arange(rng.uniform(1, cadence), days - 1, cadence)]
        for born in births:
            step += int(rng.integers(2, 9)) * 5000
            prefix = f"{fam.prefix}/step-{step}"
            keys = [*shard_keys(style, shards), "config.json", "model.index.json"]
            sizes = [int(s) for s in size * rng.uniform(0.93, 1.0, shards)]
            sizes += [int(rng.integers(900, 5000)), int(rng.integers(30_000, 900_000))]
            fam.assets.append(
                Asset(
                    f"ckpt-{name}-{step}",
                    "checkpoint",
                    f"{name} step {step}",
                    team,
                    sensitivity,
                    f"s3://{bucket}/{prefix}/*",
                    bucket,
                    [f"{prefix}/{k}" for k in keys],
                    sizes,
                    allowed,
                    born,
                    True,
                    born < 0 or rng.random() < 0.4,
                )
            )
        families.append(fam)
    return families


def build_datasets(rng: np.random.Generator, lab: str):
    """Datasets of Parquet parts, mostly the data team's."""
    families = []
    for name in rng.permutation(DATASETS)[: int(rng.integers(10, 14))]:
        team = "data" if rng.random() < 0.55 else pick(rng, RESEARCH)
        sens = 4 if "holdout" in name or "preference" in name else int(rng.integers(2, 4))
        bucket, prefix = f"{lab}-data", f"{name}/v{int(rng.integers(1, 9))}"
        parts = int(rng.integers(60, 420))
        keys = [f"{prefix}/part-{i:05d}.parquet" for i in range(parts)]
        sizes = [int(s) for s in rng.lognormal(19.3, 0.25, parts)]
        fam = Family(str(name), "dataset", team, sens, bucket, prefix)
        fam.assets = [
            Asset(
                f"data-{name}",
                "dataset",
                str(name),
                team,
                sens,
                f"s3://{bucket}/{prefix}/*",
                bucket,
                keys,
                sizes,
            )
        ]
        families.append(fam)
    return families


def build_repos(rng: np.random.Generator, org: str, people: int) -> list[Asset]:
    """Repositories; the first few are shared by everybody, a few are missing from assets.csv."""
    names = [str(n) for n in rng.permutation(TOPICS)]
    names += [f"{a}-{b}" for a in names[:6] for b in ("tools", "bench", "lib")]
    repos = []
    teams, shares = list(TEAMS), np.array([t[0] * t[2] for t in TEAMS.values()])
    for i, name in enumerate(names[: min(len(names), max(36, people // 2))]):
        team = "platform" if i < 4 else pick(rng, teams, shares / shares.sum())
        sens = 1 if rng.random() < 0.08 else int(rng.choice([2, 3, 4], p=[0.5, 0.35, 0.15]))
        repos.append(
            Asset(
                f"repo-{name}",
                "repo",
                name,
                team,
                min(sens, 2) if i < 4 else sens,
                f"github://{org}/{name}",
                listed=i < 4 or rng.random() > 0.06,
            )
        )
    return repos


def build_other_assets() -> list[Asset]:
    """Namespaces, clusters, batch accounts and served models."""
    rows = [
        Asset(f"ns-{n}", "namespace", n, team, sens, f"k8s://{K8S_CLUSTER}/{n}")
        for n, (team, sens) in NAMESPACES.items()
    ]
    rows += [
        Asset(
            f"cluster-{K8S_CLUSTER}", "cluster", K8S_CLUSTER, "platform", 3, f"k8s://{K8S_CLUSTER}"
        )
    ]
    rows += [
        Asset(f"slurm-{t}", "cluster", f"{SLURM_CLUSTER} {t}", t, 3, f"slurm://{SLURM_CLUSTER}/{t}")
        for t in (*RESEARCH, "data", "platform")
    ]
    return rows


def build_people(
    rng: np.random.Generator,
    count: int,
    days: int,
    sites: list[str],
    residential: dict[str, list[str]],
) -> list[Person]:
    """Humans with aliases, employment facts and habits."""
    teams = list(TEAMS)[: min(count, max(5, min(len(TEAMS), count // 3)))]
    shares = rng.dirichlet(np.array([TEAMS[t][0] for t in teams]) * 120)
    sizes = np.maximum(1, np.floor(shares * count)).astype(int)
    while sizes.sum() != count:
        sizes[int(rng.integers(len(teams)))] += 1 if sizes.sum() < count else -1
        sizes = np.maximum(sizes, 1)
    names: set[tuple[str, str]] = set()
    site_share = np.array([0.6] + [0.4 / (len(sites) - 1)] * (len(sites) - 1))
    oidc = pick(rng, ["", "oidc:"])
    people: list[Person] = []
    for i, team in enumerate(rng.permutation(np.repeat(teams, sizes))):
        while True:
            name = (pick(rng, GIVEN), pick(rng, FAMILY))
            if name not in names:
                names.add(name)
                break
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
        home = residential[country]
        site = sites.index(country)
        p.ips = {
            "home": pick(rng, home),
            "corp": f"198.51.100.{32 * site + int(rng.integers(1, 30))}",
            "vpn": f"100.{64 + int(rng.integers(0, 60))}.{int(rng.integers(0, 250))}"
            f".{int(rng.integers(1, 250))}",
            "devbox": f"10.{int(rng.choice([20, 21, 80, 81]))}.{int(rng.integers(0, 250))}"
            f".{int(rng.integers(1, 250))}",
        }
        py = f"3.{int(rng.integers(10, 13))}.{int(rng.integers(1, 9))}"
        p.agent = pick(
            rng,
            [
                f"[aws-cli/2.{int(rng.integers(11, 19))}.{int(rng.integers(0, 20))} Python/{py} "
                "Linux/6.5.0 exe/x86_64]",
                f"[Boto3/1.34.{rng.integers(1, 140)} md/Botocore#1.34 os/linux lang/python#{py}]",
                f"[aws-cli/2.{int(rng.integers(11, 19))}.4 Python/{py} Darwin/23.4.0 exe/arm64]",
                "[aws-sdk-go/1.44.256 (go1.20.4; linux; amd64) S3Manager]",
            ],
        )
        p.git_agent = f"git/2.{int(rng.integers(34, 47))}.{int(rng.integers(0, 4))}"
        if rng.random() < 0.35:  # a holiday
            begin, length = int(rng.integers(-4, days)), int(rng.integers(3, 12))
            p.away = set(range(begin, begin + length))
        people.append(p)
    _add_managers(rng, people)
    _add_turnover(rng, people, days)
    return people


def _add_managers(rng: np.random.Generator, people: list[Person]) -> None:
    """The longest-serving member leads each team; leads report to one of themselves."""
    leads = {}
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


def assign_habits(rng: np.random.Generator, lab: Lab) -> None:
    """What each person usually touches, drifting from week to week."""
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


def team_weights(rng: np.random.Generator, lab: Lab, team: str, partners: dict[str, list[str]]):
    """Base preference over families: own team first, partners less, the rest almost never."""
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
    return w / w.sum()


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


def aliases(p: Person) -> list[str]:
    """The principals an identity appears as, as the directory knows them."""
    if p.kind == "service":
        found = [f"arn:aws:iam::{ACCOUNT}:role/{p.role}", p.k8s]
        return found + ([p.github] if p.github else [])
    found = [*dict.fromkeys([p.email, p.k8s]), p.slurm]
    found += [] if p.hide_github else [p.github]
    return found + (
        [f"arn:aws:iam::{ACCOUNT}:user/{p.name.replace(' ', '.').lower()}"] if p.iam_user else []
    )


def _write_csv(path: Path, header: str, rows: list) -> None:
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(header.split(","))
        writer.writerows(rows)


def directory_rows(lab: Lab, day: int) -> list[list[str]]:
    """directory.csv as of a day index."""
    rows = []
    for p in [*lab.people, *lab.services]:
        team = p.new_team[1] if p.new_team and day >= p.new_team[0] else p.team
        rows.append(
            [
                p.user_id,
                p.email,
                p.name,
                p.kind,
                team,
                p.manager,
                p.title,
                p.employment,
                p.country,
                "" if p.start == -999 else lab.iso(p.start),
                lab.iso(p.notice),
                lab.iso(p.end),
                ";".join(aliases(p)),
            ]
        )
    return rows


def write_context(lab: Lab, folder: Path) -> None:
    """The four context files, and a directory of a later day where somebody changed team."""
    folder.mkdir(parents=True, exist_ok=True)
    header = (
        "user_id,email,display_name,kind,team,manager_id,title,employment,country,"
        "start_date,notice_date,end_date,aliases"
    )
    _write_csv(folder / "directory.csv", header, directory_rows(lab, -1))
    for day in sorted({p.new_team[0] for p in lab.people if p.new_team}):
        _write_csv(folder / f"directory.{lab.iso(day)}.csv", header, directory_rows(lab, day))
    rows = [
        [
            a.asset_id,
            a.kind,
            a.name,
            a.team,
            a.sensitivity,
            len(a.keys) if a.keys and a.declared else "",
            sum(a.sizes) if a.keys and a.declared else "",
            ";".join(a.allowed),
            a.pattern,
        ]
        for a in lab.assets()
        if a.listed
    ]
    _write_csv(
        folder / "assets.csv",
        "asset_id,kind,name,owner_team,sensitivity,objects,bytes,allowed_countries,pattern",
        rows,
    )
    _write_csv(
        folder / "approvals.csv",
        "ticket_id,user_id,pattern,start,end,approver_id,reason",
        sorted(lab.approvals),
    )
    _write_csv(folder / "networks.csv", "cidr,zone,country,asn", lab.networks)


def write_config(folder: Path, budget: int = 10) -> None:
    """A job config that runs on the folder as it is."""
    (folder / "config.yml").write_text(
        f"""\
# Sample lab: run with  exfilwatch run --config config.yml
sources:
  - name: object-store
    format: aws_cloudtrail
    path: raw/aws_cloudtrail/{{yyyy}}/{{mm}}/{{dd}}/*.json.gz
    timezone: UTC
  - name: repositories
    format: github_audit
    path: raw/github_audit/{{yyyy}}/{{mm}}/{{dd}}/*.ndjson.gz
    timezone: UTC
  - name: k8s-{K8S_CLUSTER}
    format: kubernetes_audit
    cluster: {K8S_CLUSTER}
    path: raw/kubernetes_audit/{{yyyy}}/{{mm}}/{{dd}}/audit-{K8S_CLUSTER}-*.ndjson.gz
    timezone: UTC
  - name: slurm-{SLURM_CLUSTER}
    format: slurm_sacct
    cluster: {SLURM_CLUSTER}
    path: raw/slurm_sacct/{{yyyy}}/{{mm}}/{{dd}}/sacct-{SLURM_CLUSTER}.txt
    timezone: {SLURM_ZONE}
context: context/
storage: warehouse/
output: out/
alert_budget: {budget}
own_accounts: ["{ACCOUNT}", "{BACKUP_ACCOUNT}"]
""",
        encoding="utf-8",
    )
