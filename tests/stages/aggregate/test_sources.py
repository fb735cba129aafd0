"""The records of each part of a source by hour, and rare acts of administration."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.worlds.aggregated_days import MIDNIGHT, aggregated, event, sources_of_day
from tests.worlds.source_logs import kind_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ACTS = (
    ("PutEventSelectors", "aws://1/cloudtrail/arn", {"log_change": "narrows"}, "log"),
    ("StopLogging", "aws://1/cloudtrail/arn", {}, "log"),
    ("org.register_self_hosted_runner", "github://lab/-", {}, "runner"),
    ("protected_branch.policy_override", "github://lab/repo", {}, "workflow"),
    ("repo.create_deploy_key", "github://lab/repo", {}, "key"),
    ("deploy_key_added", "gitlab://lab/repo", {}, "key"),
    ("integration_installation.create", "github://lab/-", {}, "app"),
    ("personal_access_token.access_granted", "github://lab/-", {}, "token"),
    ("environment.create", "github://lab/repo", {}, "secret"),
    ("hook.create", "github://lab/repo", {}, "hook"),
    ("PutImage", "aws://1/ecr/base", {}, "image"),
    ("UpdateAssumeRolePolicy", "aws://1/iam/role", {}, "account"),
    ("patch", "k8s://prod/ci/cronjobs/nightly", {}, "workflow"),
    ("create", "k8s://prod/-/clusterrolebindings/ci-admin", {}, "account"),
    ("update", "k8s://prod/-/mutatingwebhookconfigurations/inject", {}, "hook"),
    ("delete", "k8s://prod/-/auditsinks/all", {}, "log"),
    ("get", "k8s://prod/ci/cronjobs/nightly", {}, None),
    ("create", "k8s://prod/ci/pods/nightly-1", {}, None),
    ("git.push", "github://lab/repo", {}, None),
    ("GetObject", "s3://lab/ckpt/shard-0", {}, None),
)


def act(number: int, action: str, resource: str, details: dict[str, str]) -> dict[str, Any]:
    more = {"action": action, "action_class": "admin", "resource": resource, "details": details}
    return event(number, asset_id=None, object=None, **more)


@pytest.fixture(scope="module")
def made(sail: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    folder: Path = tmp_path_factory.mktemp("sources")
    rows = [act(number, *parts[:3]) for number, parts in enumerate(ACTS)]
    rows += [
        act(50, "create", "k8s://prod/ci/serviceaccounts/a", {}) | {"user_id": "system:node:n1"},
        act(51, "StopLogging", "aws://1/cloudtrail/arn", {}) | {"outcome": "failure"},
        event(60, source="other", resource="host://node-1", asset_id=None),
        event(61, source="other", resource="host://node-2", asset_id=None),
        event(62, source="other", resource="nothing", asset_id=None),
    ]
    late = MIDNIGHT + timedelta(hours=23, minutes=59)
    rows += [event(70 + n, event_time=late, source="two") for n in range(3)]
    aggregated(sail, folder, rows)
    return sources_of_day(sail, folder)


def test_records_are_counted_by_scope_and_hour(made: tuple[Any, Any]) -> None:
    days = {(row["source"], row["scope"]): row for row in made[0]}
    assert days["two", "s3://lab"]["records"] == 3
    assert days["two", "s3://lab"]["hours"] == [0] * 23 + [3]
    assert days["other", "host://"]["records"] == 2
    assert days["other", "-"]["records"] == 1
    assert days["trail", "k8s://prod"]["records"] == 7
    assert all(len(row["hours"]) == 24 and sum(row["hours"]) == row["records"] for row in made[0])


def test_acts_have_their_kind_and_effect(made: tuple[Any, Any]) -> None:
    acts = {(row["action"], row["resource"]): row for row in made[1]}
    wanted = {parts[:2]: parts[3] for parts in ACTS if parts[3]}
    assert {key: row["kind"] for key, row in acts.items()} == wanted
    assert acts["PutEventSelectors", "aws://1/cloudtrail/arn"]["effect"] == "narrows"
    stopped = acts["StopLogging", "aws://1/cloudtrail/arn"]
    assert (stopped["effect"], stopped["events"], stopped["failures"]) == (None, 2, 1)
    assert acts["hook.create", "github://lab/repo"]["asset_id"] == "github://lab/repo"


def test_the_slow_patterns_of_the_tests_agree() -> None:
    assert [kind_of(action, resource) for action, resource, _, _ in ACTS] == [a[3] for a in ACTS]
