"""Rows of ``rare_acts``: changes of logs and of build pipelines, by who made them.

The patterns are matched against the day's few distinct actions, not against each event.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from jobs.stages.aggregate.access import ASSET, KIND
from jobs.stages.sql import exprs, quoted
from schemas.acts import (
    BUILD_ACTS,
    CLUSTER_ACTS,
    CLUSTER_LOGS,
    EFFECTS,
    LOG_ACT,
    LOG_ENDS,
    LOG_NARROWS,
)

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

KEYS = ("user_id", "kind", "action", "resource")
CHANGES = "('create', 'update', 'patch', 'delete', 'deletecollection')"
OF_CLUSTER = "split_part(resource, '/', 5)"
"""SQL of the kind of object in `k8s://cluster/namespace/kind/name`."""
BY_MACHINERY = (
    "(user_id like 'system:node:%' or user_id like 'system:kube-%' "
    "or user_id like 'system:serviceaccount:kube-system:%' or user_id = 'system:apiserver')"
)
"""SQL: the cluster itself made the change."""
KNOWN_EFFECT = f"details['log_change'] in {EFFECTS}"


def kind_of_act(action: str) -> str:
    """SQL of the kind of act that an action is in any source; null for other actions."""
    patterns = {LOG_ACT: (*LOG_ENDS, *LOG_NARROWS), **BUILD_ACTS}
    cases = " ".join(
        f"when lower({action}) rlike {quoted('|'.join(each))} then '{kind}'"
        for kind, each in patterns.items()
    )
    return f"case {cases} end"


def act_rows(events: DataFrame, actions: DataFrame, day: date) -> DataFrame:
    """``rare_acts`` of the day's ``events``; ``actions``: their actions, which may repeat."""
    kinds = (
        actions.select("action")
        .distinct()
        .selectExpr("action", f"{kind_of_act('action')} as kind")
        .where("kind is not null")
    )
    named = events.join(kinds.hint("broadcast"), "action")
    of_cluster = (
        f"case when lower({OF_CLUSTER}) rlike '{CLUSTER_LOGS}' then '{LOG_ACT}' "
        + " ".join(
            f"when {OF_CLUSTER} = '{name}' then '{kind}'" for name, kind in CLUSTER_ACTS.items()
        )
        + " end"
    )
    changed = (
        events.where(f"resource like 'k8s://%' and action in {CHANGES} and not {BY_MACHINERY}")
        .selectExpr("*", f"{of_cluster} as kind")
        .where("kind is not null")
    )
    columns = (
        "user_id", "user_kind", "kind", "action", "resource", f"{ASSET} as touched",
        f"case when kind = '{LOG_ACT}' and {KNOWN_EFFECT} then details['log_change'] end as effect",
        "outcome", "event_time",
    )  # fmt: skip
    acts = named.selectExpr(*columns).unionByName(changed.selectExpr(*columns))
    return (
        acts.groupBy(*KEYS)
        .agg(
            *exprs(
                KIND,
                "min(touched) as asset_id",
                # One request that leaves out events is not undone by another one.
                "min(effect) as effect",
                "count(*) as events",
                "count_if(outcome = 'failure') as failures",
                "min(event_time) as first_time",
                "max(event_time) as last_time",
            )
        )
        .selectExpr(
            f"date'{day}' as day", "user_id", "user_kind", "kind", "action", "resource",
            "asset_id", "effect", "events", "failures", "first_time", "last_time",
        )
    )  # fmt: skip
