"""One request to a cluster, as each vendor logs it, is the same event by every way."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jobs.stages.ingest.formats.kubernetes_audit import REVIEWS, RULES, VERB_CLASSES, WORKLOADS
from jobs.stages.sql import UNKNOWN_ACTION
from schemas.tables.events import EVENTS
from tests.worlds.raw_logs import job_config, rows_of, run_ingest, write_file

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

CONTEXT = Path(__file__).parent / "formats/context"
TIME = "2026-10-05T10:00:00.123456Z"
VERBS = [*" ".join(VERB_CLASSES.values()).split(), "teleport"]
RESOURCES = [
    *re.findall("[a-z]+", RULES + REVIEWS + WORKLOADS),
    *("secrets", "configmaps", "persistentvolumeclaims", "services", "nodes", "serviceaccounts"),
    *("certificatesigningrequests", "widgets"),
]
SUBRESOURCES = [
    *(None, "exec", "attach", "portforward", "proxy", "ephemeralcontainers", "log", "token"),
    *("eviction", "approval", "status"),
]
USERS = [
    "ana@example.com",
    "ANA@example.com",
    "stranger",
    "system:anonymous",
    "system:serviceaccount:serving:loader",
    "system:serviceaccount:serving:unlisted",
    "system:node:node-1",
    "system:kube-scheduler",
    "train@lab-prod.iam.gserviceaccount.com",
    "principal://iam.googleapis.com/locations/global/workforcePools/lab/subject/bo@example.com",
    None,
]
# The code of HTTP and the status of google.rpc that GKE writes for it.
RESULTS = [(200, {}), (200, {"code": 0}), (401, {"code": 16}), (403, {"code": 7, "message": "no"})]
RESULTS += [(404, {"code": 5}), (409, {"code": 6}), (429, {"code": 8}), (500, {"code": 13})]
SAME = ("action_class", "outcome", "principal", "user_id", "user_kind", "acting_as")
SAME += ("user_agent", "source_ip", "resource", "event_time")


@dataclass(frozen=True)
class Request:
    """One request to the API server."""

    verb: str = "get"
    resource: str = "pods"
    subresource: str | None = None
    user: str | None = "ana@example.com"
    acting_as: str | None = None
    code: int = 200
    status: tuple[tuple[str, Any], ...] = ()
    address: str = "192.0.2.10"


def requests() -> Iterator[Request]:
    """Everything that the tables of classes know, and then every kind of user and result."""
    for verb, resource, subresource in product(VERBS, RESOURCES, SUBRESOURCES):
        yield Request(verb, resource, subresource)
    for user, acting_as in product(USERS, (None, "system:admin")):
        yield Request(user=user, acting_as=acting_as)
    for code, status in RESULTS:
        yield Request(code=code, status=tuple(status.items()))
    for address in ("2001:db8::7", "192.0.2.10:443", "::ffff:192.0.2.11", "private", ""):
        yield Request(address=address)


def event(number: int, request: Request) -> dict[str, Any]:
    """The API server's own record."""
    target = {"resource": request.resource, "namespace": "serving", "name": "x-0"}
    if request.subresource:
        target["subresource"] = request.subresource
    record = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "auditID": f"n-{number}",
        "stage": "ResponseComplete",
        "requestURI": "/",
        "verb": request.verb,
        "user": {"username": request.user} if request.user else {},
        "sourceIPs": [request.address],
        "userAgent": "kubectl/v1.31.0",
        "objectRef": target,
        "responseStatus": {"code": request.code},
        "requestReceivedTimestamp": TIME,
    }
    if request.acting_as:
        record["impersonatedUser"] = {"username": request.acting_as}
    return record


def gke(number: int, request: Request) -> dict[str, Any]:
    """The same as GKE writes it."""
    below = f".{request.subresource}" if request.subresource else ""
    name = f"core/v1/namespaces/serving/{request.resource}/x-0{below.replace('.', '/')}"
    identity = {"authoritySelector": request.acting_as} if request.acting_as else {}
    if request.user:
        key = "principalSubject" if "://" in request.user else "principalEmail"
        identity[key] = request.user
    return {
        "insertId": f"n-{number}",
        "logName": "projects/lab-prod/logs/cloudaudit.googleapis.com%2Fdata_access",
        "operation": {"id": f"n-{number}", "first": True, "last": True, "producer": "k8s.io"},
        "protoPayload": {
            "authenticationInfo": identity,
            "authorizationInfo": [{"granted": True, "permission": "x"}],
            "methodName": f"io.k8s.core.v1.{request.resource}{below}.{request.verb}",
            "requestMetadata": {
                "callerIp": request.address,
                "callerSuppliedUserAgent": "kubectl/v1.31.0",
            },
            "resourceName": name,
            "serviceName": "k8s.io",
            "status": dict(request.status),
        },
        "resource": {"type": "k8s_cluster", "labels": {"cluster_name": "prod-east"}},
        "timestamp": TIME,
    }


def eks(number: int, request: Request) -> dict[str, Any]:
    text = json.dumps(event(number, request))
    return {"logGroup": "/aws/eks/prod-east/cluster", "message": text}


def aks(number: int, request: Request) -> dict[str, Any]:
    return {
        "category": "kube-audit",
        "resourceId": "/SUBSCRIPTIONS/1/PROVIDERS/X/MANAGEDCLUSTERS/PROD-EAST",
        "properties": {"log": json.dumps(event(number, request))},
    }


WAYS = {
    "native": (event, {"format": "kubernetes_audit", "cluster": "prod-east"}),
    "eks": (eks, {"format": "kubernetes_audit"}),
    "aks": (aks, {"format": "kubernetes_audit"}),
    "gke": (gke, {"format": "kubernetes_audit"}),
    "google": (gke, {"format": "gcp_audit"}),
}


@pytest.fixture(scope="module")
def events(
    sail: SparkSession, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[int, dict[str, Any]]]:
    """The events of all requests, by way and number."""
    folder = tmp_path_factory.mktemp("ways")
    sources = []
    for way, (written, settings) in WAYS.items():
        lines = (json.dumps(written(number, each)) for number, each in enumerate(requests()))
        write_file(folder / f"raw/{way}.ndjson", "\n".join(lines) + "\n")
        sources.append({"name": way, "path": f"raw/{way}.ndjson", **settings})
    config = job_config(folder, sources, context=str(CONTEXT), late_days=0)
    total = len(WAYS) * len(list(requests()))
    sums = run_ingest(sail, config)
    assert (sums["events"], sums["rejects"]) == (total, 0)
    found: dict[str, dict[int, dict[str, Any]]] = {way: {} for way in WAYS}
    for row in rows_of(sail, config, EVENTS):
        number = re.match(r"n-(\d+)", row["event_id"])
        assert number
        found[row["source"]][int(number[1])] = row
    return found


@pytest.mark.parametrize("way", list(WAYS)[1:])
def test_every_way_is_alike(events: dict[str, dict[int, dict[str, Any]]], way: str) -> None:
    """Column by column; all that differs at once."""
    problems = []
    for number, request in enumerate(requests()):
        one, other = events["native"][number], events[way][number]
        problems += [
            f"{request}: {column} is {other[column]!r}, natively {one[column]!r}"
            for column in SAME
            if one[column] != other[column]
        ]
    assert not problems, f"{len(problems)} differ:\n" + "\n".join(problems[:30])


def test_only_verbs_of_no_table_are_counted(
    events: dict[str, dict[int, dict[str, Any]]],
) -> None:
    for rows in events.values():
        for number, request in enumerate(requests()):
            counted = rows[number]["details"].get(UNKNOWN_ACTION)
            assert (counted is not None) == (rows[number]["action_class"] == "other"), request
            assert counted is None or "teleport" in counted, request
