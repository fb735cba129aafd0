"""The assets of the sample lab: checkpoints, datasets, repositories and others."""

from __future__ import annotations

import numpy as np

from jobs.trial.lab.names import DATASETS, NAMESPACES, RESEARCH, STARS, TEAMS, TOPICS
from jobs.trial.lab.world import K8S_CLUSTER, SLURM_CLUSTER, Asset, Family, pick

# The more often a team is named, the more training runs are its own.
TRAINING_TEAMS = (
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
)


def shard_keys(style: int, count: int) -> list[str]:
    """Object names of a checkpoint of `count` shards in one of the usual layouts."""
    if style == 0:
        return [f"model-{i:05d}-of-{count:05d}.safetensors" for i in range(1, count + 1)]
    if style == 1:
        return [f"__{i // 2}_{i % 2}.distcp" for i in range(count)]
    return [f"mp_rank_{i % 8:02d}_pp_{i // 8:03d}/model_states.pt" for i in range(count)]


def build_checkpoints(
    rng: np.random.Generator, lab: str, days: int, sites: list[str]
) -> list[Family]:
    """Training runs with their saved steps; live runs get new steps inside the window."""
    families = []
    teams = [str(t) for t in rng.permutation(TRAINING_TEAMS)]
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


def build_datasets(rng: np.random.Generator, lab: str) -> list[Family]:
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
    rows += [
        Asset(f"model-{name}", "model", name, "inference", sensitivity, f"model://{name}")
        for name, sensitivity in (("orion-xl", 5), ("orion-mini", 3))
    ]
    return rows
