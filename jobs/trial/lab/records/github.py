"""GitHub's audit log."""

from __future__ import annotations

import json

from jobs.trial.lab.feed import Feed
from jobs.trial.lab.world import Asset


def event(
    feed: Feed,
    t: float,
    actor: str,
    action: str,
    repo: Asset | None,
    ip: str,
    agent: str,
    via: str = "SSH key",
    user: str = "",
    **fields: object,
) -> None:
    """One audit log event; times are epoch milliseconds in one or both of two fields.

    ``user``: the login that the event is about, where it is about one.
    """
    if not feed.inside(t):
        return
    u, h = next(feed.uniform), next(feed.hexadecimal)
    event_id = h[:22] + "=="
    doc = f'"_document_id":"{event_id}",' if feed.case is not None or u < 0.97 else ""
    where = _actor(feed, actor, ip) + _repository(feed, repo)
    if action.startswith("git."):
        http = via != "SSH key"
        where += (
            f'"transport_protocol":{1 if http else 2},"transport_protocol_name":'
            f'"{"http" if http else "ssh"}",'
        )
    if via and via != "web":
        hashed = feed.tokens.setdefault((actor, via), next(feed.hexadecimal)[:30] + "=")
        where += f'"programmatic_access_type":"{via}","hashed_token":"{hashed}",'
    for name, value in fields.items():
        where += f'"{name}":{json.dumps(value)},'
    feed.note(
        "github_audit",
        t,
        event_id,
        repo.asset_id if repo else "",
        repo.name if repo and action in ("git.clone", "repo.download_zip") else "",
        0,
    )
    feed.add(
        "github_audit",
        t,
        (
            f'{{{_times(t, u)},{doc}"action":"{action}","business":"{feed.lab.name}",'
            f'"org":"{feed.lab.org}","org_id":{feed.org_id},{where}"user":"{user}",'
            f'"user_id":0,"user_agent":"{agent}"}}'
        ),
    )


def _times(t: float, u: float) -> str:
    ms = int(t * 1000) + int(999 * u)
    if u < 0.3:
        return f'"@timestamp":{ms}'
    if u < 0.6:
        return f'"created_at":{ms}'
    return f'"@timestamp":{ms},"created_at":{ms}'


def _actor(feed: Feed, actor: str, ip: str) -> str:
    actor_id = feed.actor_ids.setdefault(actor, 1_000_000 + 977 * len(feed.actor_ids))
    if not actor:  # clones of public repositories may name nobody
        return ""
    bot = "true" if actor.endswith("[bot]") else "false"
    return f'"actor":"{actor}","actor_id":{actor_id},"actor_ip":"{ip}","actor_is_bot":{bot},'


def _repository(feed: Feed, repo: Asset | None) -> str:
    if repo is None:
        return ""
    full = f"{feed.lab.org}/{repo.name}"
    public = "true" if repo.sensitivity == 1 else "false"
    return f'"repo":"{full}","repository":"{full}","repository_public":{public},'
