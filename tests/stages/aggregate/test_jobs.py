"""Which readings stage ``aggregate`` ties to which submitters of jobs, and how certainly."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.worlds.aggregated_days import MIDNIGHT, Rows, event, jobs_of

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import SparkSession

NODE = "10.20.3.7"
ROLE = "arn:aws:sts::111122223333:assumed-role/cluster-node"
RUNNER = "arn:aws:iam::111122223333:role/runner"
DIRECTORY = [
    {"user_id": "u-ana", "kind": "human", "aliases": "ana"},
    {"user_id": "svc-eval", "kind": "service", "aliases": "system:serviceaccount:evals:runner"},
]


def at(hour: float) -> datetime:
    return MIDNIGHT + timedelta(hours=hour)


def job(user: str, number: int, begin: float, end: float | None, nodes: str, **more: Any) -> Any:
    details = {"job_name": f"job-of-{user}", "nodes": nodes, "started": str(at(begin))}
    details |= {} if end is None else {"ended": str(at(end))}
    return event(user_id=user, principal=user, action="submit", action_class="submit",
                 event_time=at(begin) - timedelta(minutes=9), asset_id=None, object=None,
                 resource=f"slurm://a100/team/{number}", details=details, source="slurm",
                 format="slurm_sacct", outcome="failure", **more)  # fmt: skip


def reading(hour: float, name: str = "i-0abc", item: str = "shard-0", **more: Any) -> Any:
    given = {"user_id": f"{ROLE}/{name}", "principal": f"{ROLE}/{name}", "user_kind": "unknown",
             "source_ip": NODE, "acting_as": RUNNER, "bytes_out": 10}  # fmt: skip
    return event(event_time=at(hour), object=item, resource=f"s3://lab/ckpt/{item}",
                 **given | more)  # fmt: skip


def request(
    user: str, verb: str, hour: float, name: str, kind: str = "unknown", **more: Any
) -> Any:
    given = {"action_class": {"create": "submit", "delete": "delete"}.get(verb, "write")}
    return event(user_id=user, principal=user, user_kind=kind, action=verb, event_time=at(hour),
                 resource=f"k8s://prod/evals/{name}", asset_id=None, object=None, source="k8s",
                 format="kubernetes_audit", **given | more)  # fmt: skip


def numbered(*rows: Any) -> Rows:
    return [row | {"event_id": f"id-{number}"} for number, row in enumerate(rows)]


def ties(rows: Rows) -> list[tuple[Any, ...]]:
    names = ("user_id", "role", "tie", "job", "candidates", "objects")
    return [tuple(row[name] for name in names) for row in rows]


def test_a_reading_from_the_node_is_of_those_with_a_job_there(
    sail: SparkSession, tmp_path: Path
) -> None:
    """A session that bears the number of another job changes nothing of that."""
    rows = numbered(
        job("u-ana", 70001, 8, 12, "ip-10-20-3-[5-7],ip-10-20-4-1"),
        job("u-bo", 70002, 9, 10, "gpu-[001-003]"),
        job("u-cy", 70003, 1, 7, "ip-10-20-3-7"),
        reading(9.5, "slurm-70002", "shard-0"),
        reading(11, "slurm-70002", "shard-1"),
        reading(11, "slurm-70002", "shard-2", outcome="failure", bytes_out=None),
    )
    made, read = jobs_of(sail, tmp_path, rows, DIRECTORY)
    assert [row["addresses"] for row in made] == [
        ["10.20.3.5", "10.20.3.6", "10.20.3.7", "10.20.4.1"], [], ["10.20.3.7"],
    ]  # fmt: skip
    assert [row["started"].hour for row in made] == [8, 9, 1]
    assert ties(read) == [("u-ana", ROLE, "address", "slurm://a100/team/70001", 1, 2)]
    assert (read[0]["bytes"], read[0]["events"]) == (20, 2)
    assert read[0]["addresses"] == [NODE]


def test_jobs_of_several_people_on_one_node_share_the_suspicion(
    sail: SparkSession, tmp_path: Path
) -> None:
    rows = numbered(
        job("u-ana", 70001, 8, 12, "ip-10-20-3-7"),
        job("u-bo", 70002, -30, None, "ip-10-20-3-7"),
        job("u-cy", 70003, -80, None, "ip-10-20-3-7"),
        reading(9.5),
    )
    _, read = jobs_of(sail, tmp_path, rows, DIRECTORY)
    assert ties(read) == [
        ("u-ana", ROLE, "address", "slurm://a100/team/70001", 2, 1),
        ("u-bo", ROLE, "address", "slurm://a100/team/70002", 2, 1),
    ]


def test_a_name_alone_ties_with_doubt(sail: SparkSession, tmp_path: Path) -> None:
    rows = numbered(
        job("u-ana", 70001, 8, 12, "gpu-001"),
        reading(9, "slurm-70001-step"),
        reading(9, "700012", "shard-1"),
        reading(13, "slurm-70001-step", "shard-2"),
    )
    _, read = jobs_of(sail, tmp_path, rows, DIRECTORY)
    assert ties(read) == [("u-ana", ROLE, "name", "slurm://a100/team/70001", 1, 1)]


def test_a_role_that_the_submitter_assumed_is_their_own(sail: SparkSession, tmp_path: Path) -> None:
    """Neither the person's reading without a role nor that under another name is the job's."""
    mine = {"user_id": "u-ana", "user_kind": "human"}
    rows = numbered(
        job("u-ana", 70001, 8, 12, "gpu-001"),
        job("u-bo", 70002, 8, 12, "gpu-001"),
        reading(9, "slurm-70001", **mine),
        reading(9, "slurm-70002", "shard-1", **mine),
        reading(9, "laptop", "shard-2", **mine),
        reading(9, "slurm-70001", "shard-3", **mine | {"acting_as": None}),
    )
    _, read = jobs_of(sail, tmp_path, rows, DIRECTORY)
    assert ties(read) == [("u-ana", RUNNER, "own", "slurm://a100/team/70001", 1, 1)]


def test_the_name_of_a_colleague_hides_nobody(sail: SparkSession, tmp_path: Path) -> None:
    """Only the session says that it is Bo's; the node says that it is of Ana's job."""
    named = {"user_id": "u-bo", "user_kind": "human", "details": {"identity_rule": "session_name"}}
    rows = numbered(job("u-ana", 70001, 8, 12, "ip-10-20-3-7"), reading(9, "bo@x.org", **named))
    _, read = jobs_of(sail, tmp_path, rows, DIRECTORY)
    assert ties(read) == [("u-ana", "u-bo", "address", "slurm://a100/team/70001", 1, 1)]


def test_a_person_whom_a_session_names_is_tied_with_doubt(
    sail: SparkSession, tmp_path: Path
) -> None:
    """Both names may be chosen, so the node of another job goes before them."""
    named = {"user_id": "u-bo", "user_kind": "human", "details": {"identity_rule": "session_name"}}
    rows = numbered(
        job("u-ana", 70001, 8, 12, "ip-10-20-3-7"),
        job("u-bo", 70002, 8, 12, "gpu-001"),
        reading(9, "slurm-70002", source_ip="10.20.9.9", **named),
        reading(9, "slurm-70002", "shard-1", **named),
    )
    _, read = jobs_of(sail, tmp_path, rows, DIRECTORY)
    assert ties(read) == [
        ("u-ana", "u-bo", "address", "slurm://a100/team/70001", 1, 1),
        ("u-bo", RUNNER, "name", "slurm://a100/team/70002", 1, 1),
    ]


def test_a_pod_is_where_its_node_says(sail: SparkSession, tmp_path: Path) -> None:
    """Pods of a workload begin with its name; the controller that makes them is no submitter."""
    node, other = "system:node:worker-a", "system:node:worker-b"
    status = {"kind": "service"}
    rows = numbered(
        request("u-ana", "create", 8, "jobs/sweep-all"),
        request("system:serviceaccount:kube-system:job-controller", "create", 8, "pods/x-1"),
        request(node, "patch", 8.1, "pods/sweep-all-x7f2k", source_ip=NODE, **status),
        request(other, "patch", 8.1, "pods/else", source_ip="10.20.3.8", **status),
        request("u-bo", "create", 8, "pods/else"),
        request("u-bo", "create", 8, "pods/refused", outcome="failure"),
        request("u-bo", "delete", 9, "pods/else"),
        reading(9),
    )
    made, read = jobs_of(sail, tmp_path, rows, DIRECTORY)
    assert [(row["user_id"], row["addresses"], row["ended"] and row["ended"].hour) for row in made
            ] == [("u-ana", [NODE], None), ("u-bo", ["10.20.3.8"], 9)]  # fmt: skip
    assert ties(read) == [("u-ana", ROLE, "address", "k8s://prod/evals/jobs/sweep-all", 1, 1)]


def test_an_address_of_many_nodes_places_no_pod(sail: SparkSession, tmp_path: Path) -> None:
    status = {"source_ip": NODE}
    rows = numbered(
        request("u-ana", "create", 8, "pods/sweep"),
        request("system:node:worker-a", "patch", 8.1, "pods/sweep", **status),
        request("system:node:worker-b", "patch", 8.1, "pods/else", **status),
        reading(9),
    )
    made, read = jobs_of(sail, tmp_path, rows, DIRECTORY)
    assert [row["addresses"] for row in made] == [[]]
    assert read == []


def test_a_service_account_reads_for_the_pods_of_its_namespace(
    sail: SparkSession, tmp_path: Path
) -> None:
    """An account that the directory lists, and one that it does not."""
    listed = {"user_id": "svc-eval", "user_kind": "service"}
    bare = {"user_id": "system:serviceaccount:evals:other", "user_kind": "service"}
    foreign = {"user_id": "system:serviceaccount:ci:other", "user_kind": "service"}
    rows = numbered(
        request("u-ana", "create", 8, "pods/sweep"),
        reading(9, **listed),
        reading(9, item="shard-1", **bare),
        reading(9, item="shard-2", **foreign),
        reading(7, item="shard-2", **listed),
    )
    _, read = jobs_of(sail, tmp_path, rows, DIRECTORY)
    pod = "k8s://prod/evals/pods/sweep"
    assert ties(read) == [
        ("u-ana", "svc-eval", "account", pod, 1, 1),
        ("u-ana", "system:serviceaccount:evals:other", "account", pod, 1, 1),
    ]
