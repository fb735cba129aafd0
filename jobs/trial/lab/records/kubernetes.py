"""Kubernetes' audit log."""

from __future__ import annotations

from urllib.parse import urlencode

from jobs.trial.lab.feed import Feed, uuid_of

STAGES = ("RequestReceived", "ResponseStarted", "ResponseComplete")


def request(
    feed: Feed,
    t: float,
    user: str,
    verb: str,
    resource: str,
    ns: str,
    name: str,
    ip: str,
    agent: str,
    *,
    sub: str = "",
    code: int = 200,
    command: list[str] | None = None,
    stages: int = 1,
    asset: str = "",
    item: str = "",
) -> None:
    """One API request as one to three audit events with the same auditID."""
    if not feed.inside(t):
        return
    audit_id = uuid_of(next(feed.hexadecimal))
    scope = f"/namespaces/{ns}" if ns else ""
    tail = f"/{name}" if name else ""
    tail += f"/{sub}" if sub else ""
    uri = f"/api/v1{scope}/{resource}{tail}{_parameters(verb, command)}"
    groups = '"system:authenticated"'
    if user.startswith("system:serviceaccount:"):
        groups = f'"system:serviceaccounts","system:serviceaccounts:{user.split(":")[2]}",{groups}'
    ref = (
        f'"resource":"{resource}"'
        + (f',"namespace":"{ns}"' if ns else "")
        + (f',"name":"{name}"' if name else "")
        + ',"apiVersion":"v1"'
        + (f',"subresource":"{sub}"' if sub else "")
    )
    decision = "forbid" if code == 403 else "allow"
    feed.note("kubernetes_audit", t, audit_id, asset, item, 0)
    base = feed.stamp(t)
    for stage in STAGES[-stages:]:
        frac = int(next(feed.uniform) * 899_999)
        status = (
            ""
            if stage == "RequestReceived"
            else f'"responseStatus":{{"metadata":{{}},"code":{code}}},'
        )
        feed.add(
            "kubernetes_audit",
            t,
            (
                '{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":'
                f'"{audit_id}","stage":"{stage}","requestURI":"{uri}","verb":"{verb}","user":'
                f'{{"username":"{user}","groups":[{groups}]}},"sourceIPs":["{ip}"],"userAgent":'
                f'"{agent}","objectRef":{{{ref}}},{status}"requestReceivedTimestamp":'
                f'"{base}.{frac // 2:06d}Z","stageTimestamp":"{base}.{frac:06d}Z",'
                '"annotations":'
                f'{{"authorization.k8s.io/decision":"{decision}","authorization.k8s.io/reason":""}}}}'
            ),
        )


def _parameters(verb: str, command: list[str] | None) -> str:
    if command:
        words = [("command", word) for word in command]
        return "?" + urlencode([*words, ("container", "main"), ("stdout", "true")])
    return "?watch=true&allowWatchBookmarks=true" if verb == "watch" else ""
