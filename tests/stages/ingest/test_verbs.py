"""Every verb of every format, once refused, once done, once without a word of how it ended.

The verbs are those of the formats' own tables, and for tables of patterns verbs that vendors
document. A verb keeps the class of its table whatever else stands in the record. A result is read
where the vendor puts it; without one the outcome is `unknown`, unless the vendor logs a verb only
once it is done.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from jobs.stages.ingest.formats import (
    aws_s3_access,
    azure_storage,
    gcp_audit,
    kubernetes_audit,
    litellm_gateway,
    minio_audit,
    slurm_sacct,
)
from jobs.stages.ingest.vendors.aws_actions import CLASSES as AWS_CLASSES
from jobs.stages.sql import UNKNOWN_ACTION
from schemas.formats import FORMATS
from schemas.tables.events import EVENTS
from schemas.tables.values import ACTION_CLASSES
from tests.worlds.raw_logs import job_config, rows_of, run_ingest, write_file
from tests.worlds.sample_records import HEADERS, NOON, RECORDS, source_of, text_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Record = Any
ENDS = ("success", "failure", "unknown")
NOBODY_KNOWS = "FrobnicateWidget"
"""A verb that no vendor has."""


class Walk(NamedTuple):
    """How the verbs of one format are walked.

    ``classes``: verbs by class. ``write(record, verb, end)``: the record with a verb and a result;
    for ``unknown`` without one. ``silent``: the outcome of a verb without a result.
    """

    classes: dict[str, str]
    write: Callable[[Record, str, str], Record]
    silent: Callable[[str, str], str] = lambda *_: "unknown"


def cloudtrail(record: Record, verb: str, end: str) -> Record:
    # Sign-ins say how they ended; of all other verbs only refusals have a code.
    record["eventName"] = verb
    if verb == NOBODY_KNOWS:
        del record["readOnly"]
    if end == "failure":
        record["errorCode"] = "AccessDenied"
    if end == "success":
        record["responseElements"] = {"ConsoleLogin": "Success"}
    return record


def s3_access(record: Record, verb: str, end: str) -> Record:
    status = {"success": "200 -", "failure": "403 AccessDenied", "unknown": "- -"}[end]
    verb = "REST.FROBNICATE.WIDGET" if verb == NOBODY_KNOWS else verb
    return record.replace("REST.GET.OBJECT", verb).replace("200 -", status)


def azure(record: Record, verb: str, end: str) -> Record:
    record["operationName"] = verb
    del record["statusCode"]
    status = {"success": {"statusCode": 200}, "failure": {"statusText": "AuthorizationFailure"}}
    return record | status.get(end, {})


def gcp(record: Record, verb: str, end: str) -> Record:
    record["protoPayload"]["methodName"] = verb
    if end == "failure":
        record["protoPayload"]["status"] = {"code": 7}
    if end == "success":
        record["protoPayload"]["status"] = {}
    if end == "unknown":
        record["operation"] = {"id": record["insertId"], "first": True}
    return record


def github(record: Record, verb: str, end: str) -> Record:
    record["action"] = verb
    status = {"success": {"status_code": 200}, "failure": {"status_code": 403}}
    return record | status.get(end, {})


def gitlab(record: Record, verb: str, end: str) -> Record:
    record["event_type"] = verb
    del record["details"]
    return record


def kubernetes(record: Record, verb: str, end: str) -> Record:
    record["verb"] = verb
    record["objectRef"] = {"resource": "services", "namespace": "serving", "name": "llm"}
    status = {"success": {"code": 200}, "failure": {"code": 403}, "unknown": None}[end]
    return record | {"responseStatus": status, "requestURI": "/api/v1/namespaces/serving/services"}


def litellm(record: Record, verb: str, end: str) -> Record:
    record["call_type"] = verb
    return record | {"status": None if end == "unknown" else end}


def minio(record: Record, verb: str, end: str) -> Record:
    record["api"] |= {"name": verb}
    status = {"success": {"statusCode": 200}, "failure": {"statusCode": 403}, "unknown": {}}[end]
    del record["api"]["statusCode"]
    record["api"] |= status
    return record


GITHUB = {
    "clone": "git.clone repo.download_zip",
    "read": "git.fetch",
    "write": "git.push",
    "share": "repo.access repo.add_member repo.transfer",
}
GITLAB = {
    "clone": "repository_download_operation project_fork_operation",
    "sign_in": "login_failed_with_standard_authentication authenticated_with_password",
    "share": "project_visibility_level_updated deploy_token_created member_created",
}
WALKS = {
    "aws_cloudtrail": Walk(
        AWS_CLASSES,
        cloudtrail,
        lambda verb, class_: "unknown" if class_ == "sign_in" else "success",
    ),
    "aws_s3_access": Walk(aws_s3_access.CLASSES, s3_access),
    "azure_storage": Walk(azure_storage.CLASSES, azure),
    "gcp_audit": Walk(gcp_audit.CLASSES, gcp),
    # The audit log of GitHub holds what has been done.
    "github_audit": Walk(GITHUB, github, lambda *_: "success"),
    "kubernetes_audit": Walk(kubernetes_audit.VERB_CLASSES, kubernetes),
    "litellm_gateway": Walk(litellm_gateway.CLASSES, litellm),
    "minio_audit": Walk(minio_audit.CLASSES, minio),
}
ELSEWHERE = {
    "gitlab_audit": "one field is both verb and result",
    "mapped": "the config holds the verbs",
    "slurm_sacct": "a row's state is its result",
    "sshd": "a line's wording is both verb and result",
}
"""Formats whose verbs cannot be put together with any result."""


def cases(format_id: str) -> Iterator[tuple[str, str, str]]:
    """Verb, class and end of every record of a format."""
    walk = WALKS[format_id]
    for class_, verbs in [*walk.classes.items(), ("other", NOBODY_KNOWS)]:
        yield from ((verb, class_, end) for verb in verbs.split() for end in ENDS)


@pytest.fixture(scope="module")
def events(sail: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """The events of every format, in the order of :func:`cases`."""
    folder = tmp_path_factory.mktemp("verbs")
    for format_id, walk in WALKS.items():
        lines = [HEADERS[format_id]] if format_id in HEADERS else []
        for number, (verb, _, end) in enumerate(cases(format_id)):
            record = RECORDS[format_id](number, NOON + timedelta(seconds=number))
            record = record if isinstance(record, str) else json.loads(json.dumps(record))
            lines.append(text_of(walk.write(record, verb, end)))
        write_file(folder / f"raw/{format_id}/a.json", "\n".join(lines) + "\n")
    config = job_config(folder, [source_of(format_id) for format_id in WALKS])
    run_ingest(sail, config)
    found: dict[str, list[Any]] = {format_id: [] for format_id in WALKS}
    for row in rows_of(sail, config, EVENTS):
        found[row["format"]].append(row)
    return {name: sorted(rows, key=lambda row: row["event_time"]) for name, rows in found.items()}


def test_every_format_is_walked() -> None:
    assert {*WALKS, *ELSEWHERE} == {*FORMATS}


@pytest.mark.parametrize("format_id", WALKS)
def test_every_verb_keeps_its_class_and_its_result(
    format_id: str, events: dict[str, list[Any]]
) -> None:
    walk, problems = WALKS[format_id], []
    wanted = list(cases(format_id))
    assert len(events[format_id]) == len(wanted)
    for (verb, class_, end), row in zip(wanted, events[format_id], strict=True):
        outcome = walk.silent(verb, class_) if end == "unknown" else end
        if verb == NOBODY_KNOWS and end == "unknown":
            outcome = row["outcome"]
        found = (row["action_class"], row["outcome"])
        if found != (class_, outcome):
            problems.append(f"{verb} {end}: {found}, not {(class_, outcome)}")
        counted = row["details"].get(UNKNOWN_ACTION)
        if (counted is not None) != (verb == NOBODY_KNOWS):
            problems.append(f"{verb} {end}: counted as unknown: {counted}")
    assert not problems, "\n".join(problems)


def test_every_class_of_a_table_is_one_of_the_product() -> None:
    classes = {class_ for walk in WALKS.values() for class_ in walk.classes}
    assert classes <= {*ACTION_CLASSES}


def test_every_state_of_a_job_has_an_outcome() -> None:
    assert {*slurm_sacct.BY_OUTCOME} <= {*ENDS}


def test_gitlab_s_event_types_keep_their_class(sail: SparkSession, tmp_path: Path) -> None:
    wanted = [(verb, class_) for class_, verbs in GITLAB.items() for verb in verbs.split()]
    lines = []
    for number, (verb, _) in enumerate(wanted):
        record = RECORDS["gitlab_audit"](number, NOON + timedelta(seconds=number))
        lines.append(text_of(gitlab(record, verb, "unknown")))
    write_file(tmp_path / "raw/gitlab_audit/a.json", "\n".join(lines) + "\n")
    config = job_config(tmp_path, [source_of("gitlab_audit")])
    run_ingest(sail, config)
    rows = sorted(rows_of(sail, config, EVENTS), key=lambda row: row["event_time"])
    found = [(row["action"], row["action_class"]) for row in rows]
    assert found == wanted
    failed = [row["outcome"] for row in rows if "failed" in row["action"]]
    assert failed == ["failure"]
