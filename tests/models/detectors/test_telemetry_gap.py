"""telemetry_gap: speaks of whoever ends or narrows a log, in each vendor's words."""

from __future__ import annotations

import pandas as pd
import pytest

from models.detectors.telemetry_gap import weigh_action
from tests.worlds.histories import World, history_of
from tests.worlds.plants import (
    DAY,
    Planted,
    assert_fires,
    assert_quiet,
    reads_the_state_of_the_trail,
    score_of,
    stops_the_trail,
)


def test_fires(planted: Planted, usual: pd.DataFrame) -> None:
    assert_fires("telemetry_gap", *planted(stops_the_trail), usual)


def test_stays_quiet(planted: Planted, usual: pd.DataFrame) -> None:
    assert_quiet("telemetry_gap", *planted(reads_the_state_of_the_trail), usual)


@pytest.mark.parametrize(
    "action",
    [
        "StopLogging",
        "DeleteTrail",
        "DeleteFlowLogs",
        "DeleteEventDataStore",
        "StopEventDataStoreIngestion",
        "StopConfigurationRecorder",
        "DeleteDetector",
        "DeleteLogGroup",
        "google.logging.v2.ConfigServiceV2.DeleteSink",
        "google.logging.v2.ConfigServiceV2.CreateExclusion",
        "Microsoft.Insights/diagnosticSettings/delete",
        "audit_log_streaming.destroy",
        "audit_events_streaming_instance_headers_destroy",
        "destroy_event_streaming_destination",
    ],
)
def test_an_action_that_ends_a_log_weighs_one(action: str) -> None:
    assert weigh_action(action, 0.6) == 1.0


@pytest.mark.parametrize(
    "action",
    [
        "PutEventSelectors",
        "UpdateTrail",
        "PutBucketLogging",
        "PutRetentionPolicy",
        "google.logging.v2.ConfigServiceV2.UpdateSink",
        "Microsoft.Insights/diagnosticSettings/write",
        "SetBlobServiceProperties",
        "audit_log_streaming.update",
        "org.disable_source_ip_disclosure",
    ],
)
def test_an_action_that_may_narrow_a_log_weighs_less(action: str) -> None:
    assert weigh_action(action, 0.6) == 0.6


@pytest.mark.parametrize(
    "action",
    ["StartLogging", "CreateTrail", "GetTrailStatus", "GetObject", "audit_log_streaming.create",
     "CreateFlowLogs", "google.logging.v2.ConfigServiceV2.CreateSink", "repo.destroy",
     "DeleteObject", "Microsoft.Insights/diagnosticSettings/read"],
)  # fmt: skip
def test_other_actions_weigh_nothing(action: str) -> None:
    assert weigh_action(action, 0.6) == 0.0


def signal_of(world: World) -> pd.Series:
    (row,) = score_of("telemetry_gap", history_of(world, DAY)).to_dict("records")
    return pd.Series(row)


def test_an_end_weighs_more_than_a_refused_attempt() -> None:
    values = []
    for failed in (False, True):
        world = World()
        world.act(DAY, "a", "trail", "admin", action="StopLogging", failed=failed)
        values.append(float(signal_of(world)["statistic"]))
    assert values[0] > values[1] > 0


def test_many_attempts_on_one_log_are_one_change() -> None:
    world = World()
    for hour in range(9):
        world.act(DAY, "a", "trail", "admin", action="StopLogging", hour=hour)
    assert signal_of(world)["observed"] == 1.0


def test_the_audit_policy_of_a_cluster_is_a_log() -> None:
    world = World()
    world.act(DAY, "a", "k8s://prod/-/auditsinks", "delete", action="delete")
    assert signal_of(world)["statistic"] >= 1.0


def test_the_sensitive_assets_that_its_author_took_are_named_before_the_log(
    planted: Planted,
) -> None:
    history, user = planted(stops_the_trail)
    assets = score_of("telemetry_gap", history).set_index("entity").at[user, "asset_ids"]
    assert "ckpt-inference-2" in assets
    assert assets[-1].startswith("arn:aws:cloudtrail:")
