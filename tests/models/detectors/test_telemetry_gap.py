"""telemetry_gap: speaks of whoever ends or narrows a log, in each vendor's words."""

from __future__ import annotations

import pandas as pd
import pytest

from models.detectors.telemetry_gap import weigh_action
from tests.worlds.gap_plants import (
    BUCKET,
    holiday_of_all_sources,
    log_that_comes_late,
    silences_one_bucket_and_copies,
    takes_before_all_logs_of_the_bucket_end,
)
from tests.worlds.histories import World, history_of
from tests.worlds.plants import (
    DAY,
    Plant,
    Planted,
    Usual,
    assert_fires,
    assert_quiet,
    reads_the_state_of_the_trail,
    score_of,
    stops_the_trail,
)


def test_fires(planted: Planted, usual: Usual) -> None:
    assert_fires("telemetry_gap", *planted(stops_the_trail), usual)


def test_stays_quiet(planted: Planted, usual: Usual) -> None:
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


@pytest.mark.parametrize("look_alike", [log_that_comes_late, holiday_of_all_sources])
def test_late_files_and_holidays_accuse_nobody(
    look_alike: Plant, planted: Planted, usual: Usual
) -> None:
    history, user = planted(look_alike)
    assert_quiet("telemetry_gap", history, user, usual)
    assert (score_of("telemetry_gap", history)["statistic"] == 0).all()


def test_a_change_before_a_late_file_is_told_with_doubt(planted: Planted) -> None:
    def stops_the_trail_and_all_is_late(world: World) -> str:
        log_that_comes_late(world)
        world.act(DAY, "u006", BUCKET, "admin", hour=8, action="PutBucketLogging")
        return "u006"

    history, user = planted(stops_the_trail_and_all_is_late)
    reason = score_of("telemetry_gap", history).set_index("entity").at[user, "reason"]
    assert "perhaps because it comes late" in reason


def test_source_scope_and_evidence_are_named(planted: Planted) -> None:
    history, user = planted(silences_one_bucket_and_copies)
    row = score_of("telemetry_gap", history).set_index("entity").loc[user]
    assert "the log bucket-logs had 0 records of s3://ckpt from 07 UTC to 18 UTC" in row["reason"]
    assert "another log shows that it was in use" in row["reason"]
    assert row["asset_ids"][0] == "ckpt-pretraining-2"


def test_the_change_of_another_bucket_is_not_told_of(planted: Planted) -> None:
    def changes_another_bucket(world: World) -> str:
        silences_one_bucket_and_copies(world)
        world.act(DAY, "u020", "s3://data", "admin", hour=8, action="PutBucketLogging")
        return "u020"

    history, user = planted(changes_another_bucket)
    reason = score_of("telemetry_gap", history).set_index("entity").at[user, "reason"]
    assert "s3://data" in reason and "bucket-logs" not in reason


def test_whoever_took_most_right_before_the_gap_leads(planted: Planted) -> None:
    history, user = planted(takes_before_all_logs_of_the_bucket_end)
    rows = score_of("telemetry_gap", history).sort_values("statistic")
    assert rows["entity"].iloc[-1] == user
    assert rows["statistic"].iloc[-1] > 3 * rows["statistic"].iloc[-2]


@pytest.mark.parametrize(("effect", "weight"), [("widens", 0.0), ("narrows", 1.0), ("", 0.6)])
def test_selectors_that_widen_a_log_count_nothing(effect: str, weight: float) -> None:
    world = World()
    world.act(DAY, "a", "trail", "admin", action="PutEventSelectors", effect=effect)
    world.act(DAY, "a", "data", "read", object="x")
    assert signal_of(world)["statistic"] == weight
