"""Findings as documents: contract, ids, figures; and the two stages on Sail."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from jobs.stages.findings import DayQueue, make_findings, rank_entities, shown_signals
from jobs.stages.history import settings_of
from jobs.stages.signals import calibrated
from models.detectors import score_all
from models.features.history import History
from models.reasons.parts import Amount
from models.reasons.reason import Reason
from models.wording import (
    say_amount,
    say_bytes,
    say_count,
    say_names,
    say_share,
    say_taken,
    say_times,
)
from schemas.config import JobConfig
from schemas.finding import finding_id, validate_finding
from schemas.tables.coverage import COVERAGE_DAYS
from schemas.tables.findings import FINDINGS
from schemas.tables.signals import SIGNALS
from tests.worlds import histories

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

DAY = histories.LAST - timedelta(days=3)
Find = Callable[..., pd.DataFrame]
BEFORE = [DAY - timedelta(days=offset) for offset in (3, 2, 1)]


def job_config(folder: Path, **more: Any) -> JobConfig:
    """The shipped defaults with one source."""
    from jobs.inputs.config import load_config

    text = {"sources": [{"name": "s", "format": "aws_cloudtrail", "path": "raw/*.json"}],
            "storage": str(folder / "warehouse"), "context": str(folder)} | more  # fmt: skip
    (folder / "raw").mkdir(exist_ok=True)
    (folder / "job.yml").write_text(json.dumps(text))
    return load_config(folder / "job.yml")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> JobConfig:
    return job_config(tmp_path_factory.mktemp("job"), alert_budget=3)


def plant(world: histories.World) -> None:
    """A leaver of another team reads two frontier checkpoints whole."""
    world.person("u016")["notice_date"] = DAY - timedelta(days=4)
    for asset in ("ckpt-pretraining-2", "ckpt-posttraining-2"):
        world.read(DAY, "u016", asset, world.shards(asset), 2, network=histories.HOME)


@pytest.fixture(scope="module")
def world() -> histories.World:
    made = histories.everyday_world(3)
    plant(made)
    return made


@pytest.fixture(scope="module")
def frames(world: histories.World) -> histories.Frames:
    return histories.frames_of(world)


@pytest.fixture(scope="module")
def days(world: histories.World, frames: histories.Frames) -> Callable[[date], History]:
    return cache(lambda day: histories.history_of(world, day, frames))


@pytest.fixture(scope="module")
def find(frames: histories.Frames, config: JobConfig) -> Find:
    """Rows of FINDINGS of a history's day, as the stage makes them."""

    def find_in(
        signals: pd.DataFrame, earlier: pd.DataFrame, history: History, **changed: object
    ) -> pd.DataFrame:
        today = signals["day"] == history.day
        nobody = frames[0][:0]
        shown = shown_signals(signals[~today], earlier)
        entries = earlier[earlier["in_budget"].astype(bool)]
        ranked = rank_entities(signals[today], shown, entries, nobody, history, config)
        queue = DayQueue(ranked, config.alert_budget, {}, "weights")
        access = frames[0][frames[0]["day"] <= history.day].assign(**changed)
        return make_findings(queue, access, history.coverage, history, earlier)

    return find_in


@pytest.fixture(scope="module")
def run_days(
    days: Callable[[date], History], find: Find, config: JobConfig
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """SIGNALS and FINDINGS of four days, as the stages would write them."""
    signals, findings = pd.DataFrame(columns=SIGNALS.column_names), pd.DataFrame()
    for day in [*BEFORE, DAY]:
        rows = calibrated(score_all(days(day), settings_of(config)), signals, day)
        signals = rows if signals.empty else pd.concat([signals, rows], ignore_index=True)
        earlier = findings[findings["in_budget"]] if len(findings) else empty_findings()
        made = find(signals, earlier, days(day))
        findings = pd.concat([findings, made], ignore_index=True)
    return signals, findings


def empty_findings() -> pd.DataFrame:
    return pd.DataFrame(columns=FINDINGS.column_names)


@pytest.fixture(scope="module")
def documents(run_days: tuple[pd.DataFrame, pd.DataFrame]) -> list[dict[str, Any]]:
    findings = run_days[1]
    return [json.loads(text) for text in findings.loc[findings["day"] == DAY, "document"]]


def test_documents_keep_the_contract(run_days: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    texts = run_days[1]["document"]
    assert len(texts) > 4
    assert [validate_finding(json.loads(text)) for text in texts] == [[]] * len(texts)


def test_the_thief_leads_the_queue_and_is_explained(documents: list[dict[str, Any]]) -> None:
    first = documents[0]
    assert first["user"] == {"id": "u016", "name": "Name u016", "email": "u016@example.com"}
    assert first["event"]["severity"] >= 3
    assert "Name u016 (data)" in first["event"]["reason"]
    assert "gave notice on" in first["event"]["reason"]
    assets = {asset["id"]: asset for asset in first["exfil"]["assets"]}
    taken = assets["ckpt-pretraining-2"]
    assert taken["objects"] == taken["objects_total"] == 64
    assert taken["coverage"] == 1.0
    assert taken["bytes"] == 64 * histories.SHARD_BYTES
    assert taken["first_access"] is True
    assert taken["sensitivity"] == 5
    assert first["event"]["end"].startswith(f"{DAY}T")


def test_evidence_of_whoever_did_nothing_on_the_day_is_of_their_last_day(
    run_days: tuple[pd.DataFrame, pd.DataFrame], days: Callable[[date], History], find: Find
) -> None:
    moved = find(run_days[0], empty_findings(), days(DAY), day=BEFORE[-1])
    assert "1d" in set(moved["window"])


def test_a_name_that_somebody_else_may_have_chosen_is_doubted(
    run_days: tuple[pd.DataFrame, pd.DataFrame], days: Callable[[date], History], find: Find
) -> None:
    signals, findings = run_days
    earlier = findings[findings["in_budget"] & (findings["day"] < DAY)]
    made = find(
        signals,
        earlier,
        days(DAY),
        chosen_names=lambda rows: rows["events"],
        acting_as=lambda rows: [["role/Trainer"]] * len(rows),
        sessions=lambda rows: [["role/Trainer/u016"]] * len(rows),
    )
    document = json.loads(made["document"].iloc[0])
    assert document["event"]["reason"].endswith(
        "only the name of a session says so, which whoever may assume role/Trainer can choose."
    )
    assert "role/Trainer/u016" in document["related"]["user"]


def test_ranks_follow_the_evidence_and_the_budget(
    run_days: tuple[pd.DataFrame, pd.DataFrame], documents: list[dict[str, Any]]
) -> None:
    findings = run_days[1]
    evidence = findings.loc[findings["day"] == DAY, "evidence"].tolist()
    assert evidence == sorted(evidence, reverse=True)
    assert [d["exfil"]["queue_rank"] for d in documents] == list(range(1, len(evidence) + 1))
    assert [d["exfil"]["in_budget"] for d in documents] == [i < 3 for i in range(len(evidence))]
    assert len({d["user"]["id"] for d in documents}) == len(documents)
    assert len(documents) <= 30


def test_contributions_sum_exactly(documents: list[dict[str, Any]]) -> None:
    for document in documents:
        parts = [c["points"] for c in document["exfil"]["contributions"]]
        assert sum(parts) == document["event"]["risk_score"] == sum(reversed(parts))


def test_same_evidence_same_id(
    run_days: tuple[pd.DataFrame, pd.DataFrame], days: Callable[[date], History], find: Find
) -> None:
    signals, findings = run_days
    earlier = findings[findings["in_budget"] & (findings["day"] < DAY)]
    again = find(signals, earlier, days(DAY))
    before = findings[findings["day"] == DAY].reset_index(drop=True)
    pd.testing.assert_frame_equal(again, before)


def test_id_moves_with_the_evidence_only() -> None:
    first = ("u1", DAY, "1d", "a", "b", [("x", 1, 2), ("y", 3, None)])
    assert finding_id(*first) == finding_id(*first[:5], list(reversed(first[5])))  # type: ignore[arg-type]
    others = [("u2", *first[1:]), (*first[:2], "7d", *first[3:]), (*first[:5], [("x", 2, 2)])]
    assert len({finding_id(*case) for case in [first, *others]}) == 4  # type: ignore[arg-type]


def test_an_open_case_does_not_fill_the_queue(
    run_days: tuple[pd.DataFrame, pd.DataFrame], days: Callable[[date], History], find: Find
) -> None:
    """The same signals on the next day fall far behind what they were."""
    signals, findings = run_days
    shown = findings[(findings["day"] == DAY) & findings["in_budget"]].assign(
        day=DAY - timedelta(days=1)
    )
    of_day = signals[signals["day"] == DAY]
    doubled = pd.concat([of_day, of_day.assign(day=DAY - timedelta(days=1))], ignore_index=True)
    fresh = find(of_day, empty_findings(), days(DAY)).set_index("entity")
    again = find(doubled, shown, days(DAY)).set_index("entity")["risk_score"]
    assert again.get("u016", 0.0) < fresh.loc["u016", "risk_score"] / 2


def test_every_break_of_the_contract_is_found(documents: list[dict[str, Any]]) -> None:
    def broken(change: Callable[[dict[str, Any]], object]) -> list[str]:
        document = copy.deepcopy(documents[0])
        change(document)
        return validate_finding(document)

    cases = {
        "event.kind": broken(lambda d: d["event"].pop("kind")),
        "user.id": broken(lambda d: d["user"].update(id=3)),
        "exfil.extra": broken(lambda d: d["exfil"].update(extra=1)),
        "points sum": broken(lambda d: d["exfil"]["contributions"][0].update(points=0.25)),
        "event.severity": broken(lambda d: d["event"].update(severity=1)),
        "@timestamp": broken(lambda d: d.update({"@timestamp": "2026-13-01T00:00:00Z"})),
        "event.id": broken(lambda d: d["event"].update(id="x")),
        "coverage": broken(lambda d: d["exfil"]["assets"][0].update(coverage=1.5)),
        "related.ip": broken(lambda d: d["related"].update(ip="192.0.2.1")),
    }
    assert {name: bool([p for p in found if name in p]) for name, found in cases.items()} == (
        dict.fromkeys(cases, True)
    ), cases


def test_bytes_that_no_log_tells_are_estimated(
    run_days: tuple[pd.DataFrame, pd.DataFrame], days: Callable[[date], History], find: Find
) -> None:
    """All 64 shards are all of the checkpoint's bytes; a half copied apart counts once."""
    signals, history = run_days[0], days(DAY)
    of_day = signals[signals["day"] == DAY]
    unknown = {"bytes_out": None, "bytes_estimated": 10**15}
    nothing = {f"bytes_{days}": 0 for days in COVERAGE_DAYS}
    unsized = {f"unsized_{days}": history.coverage[f"read_{days}"] for days in COVERAGE_DAYS}
    blind = history.but(coverage=history.coverage.assign(**nothing, **unsized))
    first = json.loads(find(of_day, empty_findings(), blind, **unknown)["document"][0])
    assets = {asset["id"]: asset for asset in first["exfil"]["assets"]}
    taken = assets["ckpt-pretraining-2"]
    assert (taken["bytes"], taken["bytes_estimated"]) == (None, 64 * histories.SHARD_BYTES)
    total = sum(asset["bytes_estimated"] for asset in assets.values())
    assert f"about {say_bytes(total)}, estimated from the asset" in first["event"]["reason"]


def test_unlisted_people_and_assets_are_explained_too(
    days: Callable[[date], History], find: Find, config: JobConfig
) -> None:
    from dataclasses import replace

    bare = replace(days(DAY), context=histories.empty_history().context)
    none = pd.DataFrame(columns=SIGNALS.column_names)
    signals = calibrated(score_all(bare, settings_of(config)), none, DAY)
    found = find(signals, empty_findings(), bare)
    assert [validate_finding(json.loads(text)) for text in found["document"]] == [[]] * len(found)


def test_words() -> None:
    assert [say_bytes(v) for v in (0, 999, 1000, 1.234e12, 999_999)] == [
        "0 B", "999 B", "1 kB", "1.23 TB", "1 MB",
    ]  # fmt: skip
    assert [say_taken(*v) for v in ((None, None), (5, None), (None, 5000), (5, 5000))] == [
        "not known", "5 B", "about 5 kB, estimated from the asset's size",
        "5 B and about 5 kB estimated from the asset's size",
    ]  # fmt: skip
    several = Reason("bytes_of_several", bytes=Amount(7, "bytes"))
    assert several.say() == "about 7 B, estimated from the assets' sizes"
    assert [say_count(v) for v in (3, 12345.6, 0.25)] == ["3", "12,346", "0.25"]
    assert [say_share(v) for v in (1, 0.9999, 0.29, 0.004, 0)] == [
        "100 %", "99 %", "29 %", "0.4 %", "0 %",
    ]  # fmt: skip
    assert say_amount(1, "repositories") == "1 repository"
    assert say_amount(2, "assets") == "2 assets"
    assert say_times(100, 0) == ""
    assert say_times(90, 2) == "45 times as much"
    assert say_names(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"


LEAVER = "u001"
"""Somebody who is active on the last two days of the world."""


def signals_before_the_notice() -> pd.DataFrame:
    """A signal of the leaver of whom the directory did not know yet, and one of somebody else."""
    rows = [
        {"day": DAY - timedelta(days=1), "entity": user, "user_kind": "human",
         "detector": "shard_coverage", "window": "1d", "statistic": 9.0, "p_value": p_value,
         "observed": 1.0, "expected": None, "unit": "share", "reason": "read it all",
         "reason_parts": None, "settings_hash": "other", "asset_ids": ["ckpt-pretraining-1"],
         "related_users": []}
        for user, p_value in ((LEAVER, 1e-5), ("u016", 1e-6))
    ]  # fmt: skip
    return pd.DataFrame(rows)[SIGNALS.column_names].astype({"expected": "float64"})


def store_features(
    sail: SparkSession, config: JobConfig, history: History, frames: histories.Frames
) -> None:
    """Write the tables of the history's day and of the day before it."""
    from jobs.platform.delta_tables import replace_day, to_frame
    from schemas.tables.access import ACCESS, PLACE_ACCESS
    from schemas.tables.api import API_DAYS
    from schemas.tables.coverage import COVERAGE
    from schemas.tables.features import (
        ASSET_DAYS,
        ENTITY_DAYS,
        GRANTS,
        LINEAGE,
        NOVELTY,
        PAIRS,
        PLACE_DAYS,
        STEPS,
    )
    from schemas.tables.graph import GRAPH_EDGES, GRAPH_NODES
    from schemas.tables.jobs import JOB_ACCESS
    from schemas.tables.sources import RARE_ACTS, SOURCE_DAYS
    from tests.worlds.features import features_of
    from tests.worlds.lineage import lineage_of

    near = DAY - timedelta(days=1)
    objects = histories.objects_of(frames.own.values())
    features = features_of(frames[0], history.context)
    tables = ((ACCESS, frames[0]), (PLACE_ACCESS, history.place_access),
              (PLACE_DAYS, history.place_days), (COVERAGE, history.coverage),
              (ASSET_DAYS, features.asset_days), (NOVELTY, features.novelty),
              (PAIRS, features.pairs), (ENTITY_DAYS, features.entity_days),
              (GRANTS, history.grants), (STEPS, history.steps),
              (LINEAGE, lineage_of(history.steps, objects, history.context)),
              (API_DAYS, history.api_days), (JOB_ACCESS, history.job_access),
              (SOURCE_DAYS, history.source_days), (RARE_ACTS, history.rare_acts),
              (GRAPH_NODES, history.nodes), (GRAPH_EDGES, history.edges))  # fmt: skip
    for table, rows in tables:
        for day in sorted(set(rows["day"])):
            if near <= day <= DAY:
                part = rows[rows["day"] == day].copy()
                for name in {"first_time", "last_time"} & set(part.columns):
                    part[name] = part[name].dt.tz_localize("UTC")
                replace_day(to_frame(sail, part, table), config.storage, table, day)


def test_stages_on_an_engine(
    sail: SparkSession,
    frames: histories.Frames,
    days: Callable[[date], History],
    tmp_path: Path,
) -> None:
    """Read, score, write, read again: the tables take the rows, and a second run changes none."""
    from jobs.platform.delta_tables import read_days, replace_day, to_frame
    from jobs.stages import findings as findings_stage
    from jobs.stages import signals as signals_stage

    config = job_config(tmp_path, alert_budget=3)
    (Path(config.context) / "directory.csv").write_text(
        "user_id,email,display_name,kind,team,manager_id,title,employment,country,start_date,"
        "notice_date,end_date,aliases\n"
        f"{LEAVER},{LEAVER}@example.com,Name,human,data,,,employee,US,2025-01-01,{DAY},,\n"
    )
    near = DAY - timedelta(days=1)
    store_features(sail, config, days(DAY), frames)
    told = signals_before_the_notice()
    replace_day(to_frame(sail, told, SIGNALS), config.storage, SIGNALS, near)
    for stage in (signals_stage, findings_stage):
        assert stage.STAGE.run(sail, config, DAY).rows
    replayed = read_days(sail, config.storage, SIGNALS, DAY)
    (row,) = replayed.where("detector = 'leaver' and window = '90d'").collect()
    assert (row["entity"], list(row["asset_ids"])) == (LEAVER, ["ckpt-pretraining-1"])
    first = read_days(sail, config.storage, FINDINGS, DAY).toPandas()
    for stage in (signals_stage, findings_stage):
        stage.STAGE.run(sail, config, DAY)
    second = read_days(sail, config.storage, FINDINGS, DAY).toPandas()
    order = ["queue_rank"]
    pd.testing.assert_frame_equal(
        first.sort_values(order, ignore_index=True), second.sort_values(order, ignore_index=True)
    )
    assert len(first)
    assert [validate_finding(json.loads(text)) for text in first["document"]] == [[]] * len(first)
