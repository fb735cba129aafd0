"""Rows of ``jobs``: jobs of Slurm, workloads of Kubernetes, and the addresses of their nodes.

Only what the clusters themselves write places a job: Slurm's list of nodes, and the reports of a
node about its pods. A controller makes the pods of a workload, whose name then begins theirs.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from jobs.stages.sql import exprs
from schemas.tables.jobs import JOBS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

MAX_NODES = 4096
"""Most nodes of one range in a list of nodes."""
IS_JOB = "action_class = 'submit' and resource like 'slurm://%'"
IS_WORKLOAD = (
    "action_class = 'submit' and resource like 'k8s://%' and outcome <> 'failure' "
    "and (principal not like 'system:%' or principal like 'system:serviceaccount:%') "
    "and principal not like 'system:serviceaccount:kube-system:%'"
)
"""SQL: somebody outside the cluster's own machinery made a workload."""
NODE = "nullif(regexp_extract(principal, '^system:node:(.+)$', 1), '')"
OF_POD = "regexp_extract(resource, '^(k8s://[^/]+/[^/]+/)pods/[^/]+$', 1)"
LAST = "regexp_extract(resource, '([^/]*)$', 1)"
OCTETS = "(?:^|[^0-9])" + "[-._]".join(["([0-9]{1,3})"] * 4) + "(?:[^0-9]|$)"
IN_NAME = (
    f"case when node rlike '{OCTETS}' then concat_ws('.', "
    + ", ".join(
        f"cast(cast(regexp_extract(node, '{OCTETS}', {n}) as int) as string)" for n in (1, 2, 3, 4)
    )
    + ") end"
)
"""SQL of the IPv4 address in the name of a node, such as `ip-10-20-3-7`; null for others."""
PART = "'[^,\\\\[]+(?:\\\\[[^\\\\]]*\\\\])?[^,\\\\[]*'"
RANGE = "'^([^\\\\[]*)\\\\[([^\\\\]]*)\\\\](.*)$'"


def job_rows(events: DataFrame, day: date) -> DataFrame:
    """``jobs`` of the day's ``events``."""
    made = _jobs(events).unionByName(_workloads(events))
    once = made.groupBy("job", "user_id").agg(
        *exprs(
            "min(user_kind) as user_kind",
            "min(name) as name",
            "min(started) as started",
            "max(ended) as ended",
        )
    )
    addresses = (
        _placed(events).groupBy("job").agg(*exprs("sort_array(collect_list(address)) as addresses"))
    )
    return once.join(addresses, "job", "left").selectExpr(
        f"date'{day}' as day",
        *(name for name in JOBS.column_names if name not in ("day", "addresses")),
        "coalesce(addresses, cast(array() as array<string>)) as addresses",
    )


def _jobs(events: DataFrame) -> DataFrame:
    started = "try_cast(details['started'] as timestamp)"
    return events.where(IS_JOB).selectExpr(
        "resource as job",
        "user_id",
        "user_kind",
        "details['job_name'] as name",
        f"coalesce({started}, event_time) as started",
        "try_cast(details['ended'] as timestamp) as ended",
    )


def _workloads(events: DataFrame) -> DataFrame:
    gone = (
        events.where("action_class = 'delete' and resource like 'k8s://%' and outcome <> 'failure'")
        .groupBy("resource")
        .agg(*exprs("max(event_time) as gone"))
    )
    made = events.where(IS_WORKLOAD).selectExpr("resource", "user_id", "user_kind", "event_time")
    return made.join(gone, "resource", "left").selectExpr(
        "resource as job",
        "user_id",
        "user_kind",
        f"{LAST} as name",
        "event_time as started",
        "if(gone >= event_time, gone, null) as ended",
    )


def _placed(events: DataFrame) -> DataFrame:
    """``job`` and ``address`` of each node that a job or workload of the day ran on."""
    nodes = _nodes_of_jobs(events).unionByName(_nodes_of_workloads(events)).distinct()
    return (
        nodes.join(_writing_nodes(events), "node", "left")
        .selectExpr("job", f"coalesce({IN_NAME}, writes_from) as address")
        .where("address is not null")
        .distinct()
    )


def _nodes_of_jobs(events: DataFrame) -> DataFrame:
    """``job`` and ``node``, from lists such as `gpu-[003-005,9],login`."""
    parts = events.where(f"{IS_JOB} and details['nodes'] is not null").selectExpr(
        "resource as job", f"explode(regexp_extract_all(details['nodes'], {PART}, 0)) as part"
    )
    ranges = parts.selectExpr(
        "job",
        f"if(part rlike {RANGE}, regexp_extract(part, {RANGE}, 1), part) as first",
        f"regexp_extract(part, {RANGE}, 3) as rest",
        f"explode(split(regexp_extract(part, {RANGE}, 2), ',')) as span",
    ).selectExpr(
        "job",
        "first",
        "rest",
        "substring_index(span, '-', 1) as low",
        "try_cast(substring_index(span, '-', 1) as int) as begin",
        "try_cast(substring_index(span, '-', -1) as int) as end",
    )
    numbers = "sequence(begin, least(greatest(begin, end), begin + {most}))"
    return ranges.selectExpr(
        "job",
        "first",
        "rest",
        "length(low) as digits",
        f"explode(coalesce({numbers.format(most=MAX_NODES)}, array(cast(null as int)))) as number",
    ).selectExpr(
        "job",
        "concat(first, coalesce(lpad(cast(number as string), "
        "greatest(digits, length(cast(number as string))), '0'), ''), rest) as node",
    )


def _nodes_of_workloads(events: DataFrame) -> DataFrame:
    """``job`` and ``node``: the nodes that report of a pod, by the pod's name or its beginnings."""
    reports = (
        events.where(f"{NODE} is not null and outcome <> 'failure'")
        .selectExpr(f"{NODE} as node", f"{OF_POD} as space", f"split({LAST}, '-') as words")
        .where("space <> ''")
    )
    # Pods are NAME, NAME-xxxxx (of a job) or NAME-xxxxxxxxxx-xxxxx (of a deployment).
    named = reports.selectExpr("node", "space", "words", "explode(array(0, 1, 2)) as cut")
    beginnings = (
        named.where("size(words) > cut")
        .selectExpr("node", "space", "array_join(slice(words, 1, size(words) - cut), '-') as name")
        .distinct()
    )
    made = events.where(IS_WORKLOAD).selectExpr(
        "resource as job",
        "regexp_extract(resource, '^(k8s://[^/]+/[^/]+/)', 1) as space",
        f"{LAST} as name",
    )
    return made.join(beginnings, ["space", "name"]).select("job", "node")


def _writing_nodes(events: DataFrame) -> DataFrame:
    """``node`` and ``writes_from``: addresses from which one node alone writes, and only there."""
    pairs = (
        events.where(f"{NODE} is not null and source_ip is not null")
        .selectExpr(f"{NODE} as node", "source_ip")
        .distinct()
    )
    shared = pairs.groupBy("source_ip").agg(*exprs("count(*) as nodes"))
    return (
        pairs.join(shared, "source_ip")
        .groupBy("node")
        .agg(*exprs("min(source_ip) as writes_from", "count(*) as places", "max(nodes) as nodes"))
        .where("places = 1 and nodes = 1")
        .select("node", "writes_from")
    )
