"""Everyday use of Kubernetes by people."""

from __future__ import annotations

import numpy as np

from jobs.trial.lab.feed import Feed
from jobs.trial.lab.habits import address, local_hours
from jobs.trial.lab.names import NAMESPACES
from jobs.trial.lab.records import kubernetes
from jobs.trial.lab.world import Lab, Person, pick

KUBECTL = "kubectl/v1.29.3 (linux/amd64) kubernetes/6813625"
OPERATORS = ("platform", "inference", "security")


def cluster_work(
    lab: Lab,
    feed: Feed,
    p: Person,
    day: int,
    rng: np.random.Generator,
    midnight: float,
    level: float,
) -> None:
    """kubectl use: mostly get, list and logs; operators also exec and port-forward."""
    count = int(rng.poisson(9.0 * level))
    if not count:
        return
    own = [n for n, (team, _) in NAMESPACES.items() if team == p.team]
    ip = address(p, day, rng, (0.4, 0.35, 0.2, 0.05))
    for hour in np.sort(local_hours(p, rng, count)):
        use_kubectl(feed, rng, p, own, midnight + float(hour) * 3600, ip)


def use_kubectl(
    feed: Feed, rng: np.random.Generator, p: Person, own: list[str], t: float, ip: str
) -> None:
    """One command in a namespace, mostly one of the person's team (`own`)."""
    operator = p.team in OPERATORS
    if own and rng.random() < 0.7:
        ns = pick(rng, own)
    else:
        ns = pick(rng, list(NAMESPACES) if operator else ["evals", "notebooks", "training"])
    pod, asset = pod_name(rng, ns), f"ns-{ns}"
    draw, trusted = rng.random(), operator or ns in own
    if draw < 0.07 and trusted:
        command = pick(
            rng, [["bash"], ["sh", "-c", "ls /models"], ["nvidia-smi"], ["cat", "/etc/hosts"]]
        )
        exec_in_pod(feed, rng, p.k8s, ns, pod, command, t, ip, asset)
    elif draw < 0.09 and trusted:
        forward_port(feed, p.k8s, ns, pod, t, ip, asset)
    elif draw < 0.36:
        kubernetes.request(
            feed, t, p.k8s, "get", "pods", ns, pod, ip, KUBECTL, asset=asset, sub="log", stages=2
        )
    elif draw < 0.39 and trusted:
        code = 403 if rng.random() < 0.3 else 200
        kubernetes.request(
            feed, t, p.k8s, "get", "secrets", ns, "app-config", ip, KUBECTL, asset=asset, code=code
        )
    else:
        verb, resource = pick(rng, ["get", "list"]), pick(rng, ["pods", "deployments", "events"])
        kubernetes.request(feed, t, p.k8s, verb, resource, ns, "", ip, KUBECTL, asset=asset)


def pod_name(rng: np.random.Generator, ns: str) -> str:
    """A pod of a namespace; pods are replaced every so often."""
    return f"{ns}-{int(rng.integers(16)):x}7c9f8d-{int(rng.integers(1, 400)):03d}xz"


def exec_in_pod(
    feed: Feed,
    rng: np.random.Generator,
    user: str,
    ns: str,
    pod: str,
    command: list[str],
    t: float,
    ip: str,
    asset: str,
    item: str = "",
) -> None:
    """One exec session, over SPDY (create) or, with newer clients, WebSocket (get)."""
    kubernetes.request(
        feed,
        t,
        user,
        "get" if rng.random() < 0.35 else "create",
        "pods",
        ns,
        pod,
        ip,
        KUBECTL,
        sub="exec",
        code=101,
        command=command,
        stages=2,
        asset=asset,
        item=item,
    )


def forward_port(feed: Feed, user: str, ns: str, pod: str, t: float, ip: str, asset: str) -> None:
    """One port forwarded out of a pod."""
    kubernetes.request(
        feed,
        t,
        user,
        "create",
        "pods",
        ns,
        pod,
        ip,
        KUBECTL,
        sub="portforward",
        code=101,
        stages=2,
        asset=asset,
    )
