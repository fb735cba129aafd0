"""Walks every detector: all keep the common contract; lists all offenders at once."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from models.detectors import describe, detector_names, detector_settings, score_all
from models.detectors.settings import DetectorSettings
from models.detectors.signal import SIGNAL_COLUMNS
from models.reasons.reason import load_reasons
from models.reasons.sentences import SENTENCES
from schemas.tables.values import WINDOWS
from tests.worlds.coverage import coverage_of_rows
from tests.worlds.evasions import EVASIONS
from tests.worlds.features import features_of
from tests.worlds.histories import World, empty_history, frames_of, history_of
from tests.worlds.plants import (
    DAY,
    DETECTOR_OF,
    FIRING,
    QUIET,
    SETTINGS,
    Plant,
    Planted,
    Usual,
    assert_fires,
    everything_at_once,
    leaver_copies_everything,
    score_of,
)

TECHNIQUE = re.compile(r"T\d{4}(\.\d{3})?|AML\.T\d{4}(\.\d{3})?")
TIME_WINDOW = re.compile(r"\b(\d+ (hour|day|week)s?|window)\b")


class Recorded:
    """Settings that remember what was asked of them."""

    def __init__(self, settings: DetectorSettings) -> None:
        self._settings, self.asked = settings, set[str]()

    def __getattr__(self, key: str) -> Any:
        self.asked.add(key)
        return getattr(self._settings, key)


def test_corpus_of_detectors(planted: Callable[..., Any]) -> None:
    """Walks every detector and lists all offenders at once."""
    folder = Path(__file__).parents[3] / "models" / "detectors"
    names = list(detector_names())
    given = detector_settings({"foreign_copy": {"own_accounts": ["111122223333"]}})
    offenders = []
    stems = sorted(
        p.stem for p in folder.glob("*.py") if p.stem not in ("__init__", "settings", "signal")
    )
    described = sorted(p.stem for p in folder.glob("*.yml"))
    tested = sorted(p.stem.removeprefix("test_") for p in Path(__file__).parent.glob("test_*.py"))
    if not set(names) <= set(tested):
        offenders.append(f"without tests of their own: {sorted(set(names) - set(tested))}")
    if names != sorted(name for name, cases in EVASIONS.items() if cases):
        offenders.append(f"without a thief who has read it: {sorted(set(names) - set(EVASIONS))}")
    if not stems == described == names == sorted(FIRING) == sorted(QUIET):
        offenders.append(f"py {stems}, yml {described}, registry {names}, cases {sorted(FIRING)}")
    for name in names:
        about = describe(name)
        history, _ = planted(FIRING[name])
        recorded = Recorded(given[name])
        rows = score_of(name, history, recorded)
        checks = {
            "name is the stem": about.name == name,
            "title is short and has no full stop": len(about.title) < 60 and about.title[-1] != ".",
            "goal is a sentence": about.goal.endswith("."),
            "techniques have ids and names": bool(about.techniques)
            and all(TECHNIQUE.fullmatch(t.id) and len(t.name) > 5 for t in about.techniques),
            "both ATT&CK and ATLAS, or ATT&CK alone": about.techniques[0].id.startswith("T"),
            "tactics": bool(about.tactics),
            "data names a table": any("access" in text or "graph" in text for text in about.data),
            "blind spots": bool(about.blind_spots),
            "false positives": bool(about.false_positives),
            "2 or 3 runbook steps": len(about.runbook) in (2, 3),
            "each step has a time": all(TIME_WINDOW.search(step) for step in about.runbook),
            "each step names a field": all(
                re.search(r"[a-z]+[._][a-z_]+", step) or "related" in step for step in about.runbook
            ),
            "its model has the settings of the yml": set(about.defaults)
            == set(DETECTOR_OF[name].settings.model_fields),
            "every setting is used": recorded.asked
            >= {
                key
                for key in about.defaults
                if key not in DetectorSettings.model_fields
                and not key.startswith(("min_", "proof_"))
            },
            "settings explained": all(d.unit and d.raising for d in about.defaults.values()),
            "every reason is made of its parts": all(
                _said(parts) == text
                for parts, text in zip(rows["reason_parts"], rows["reason"], strict=True)
            ),
            "every unit has its least amount": {f"min_{u}" for u in rows["unit"]}
            <= set(about.defaults) | {"min_isolation"},
        }
        offenders += [f"{name}: {what}" for what, good in checks.items() if not good]
    assert not offenders, "\n".join(offenders)


@pytest.mark.parametrize(
    ("name", "thief"),
    [(name, thief) for name, thieves in EVASIONS.items() for thief in thieves],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_fires_for_a_thief_who_has_read_it(
    name: str, thief: Plant, planted: Planted, usual: Usual
) -> None:
    assert_fires(name, *planted(thief), usual)


def _said(parts: str) -> str | None:
    (reason,) = load_reasons(parts) or (None,)
    return reason.say() if reason else None


def test_every_sentence_is_used() -> None:
    models = Path(__file__).parents[3] / "models"
    used = "".join(p.read_text("utf-8") for p in models.rglob("*.py") if p.stem != "sentences")
    assert [name for name in SENTENCES if f'"{name}"' not in used] == []


@pytest.mark.parametrize("name", detector_names())
def test_common_contract(name: str, planted: Callable[..., Any]) -> None:
    history, _ = planted(FIRING[name])
    rows = score_of(name, history)
    assert tuple(rows.columns) == SIGNAL_COLUMNS
    assert not rows.duplicated(["entity", "window"]).any()
    assert set(rows["window"]) <= set(WINDOWS)
    assert np.isfinite(rows["statistic"].astype(float)).all()
    assert np.isfinite(rows["observed"].astype(float)).all()
    active = set(history.access["user_id"])
    assert set(rows["entity"]) <= active
    assert rows["reason"].map(lambda text: 10 < len(text) < 500).all()
    known = set(history.assets.index)
    assert all(set(assets) <= known for assets in rows["asset_ids"])


@pytest.mark.parametrize("name", detector_names())
def test_nothing_gives_nothing(name: str, planted: Callable[..., Any]) -> None:
    assert score_of(name, empty_history()).empty
    history, _ = planted(FIRING[name])
    later = history.but(day=DAY + timedelta(days=1))
    rows = score_of(name, later)
    assert tuple(rows.columns) == SIGNAL_COLUMNS
    assert rows.empty


@pytest.mark.slow
def test_no_detector_looks_ahead(ordinary: World) -> None:
    """Rows of later days, of the same and of other identities, change nothing."""
    frames = frames_of(ordinary)
    plain = history_of(ordinary, DAY, frames)
    later = ordinary.copy()
    for offset in range(1, 4):
        for user in ("u010", "u016", "svc-eval", "new"):
            shards = later.shards("ckpt-evals-1")
            later.read(DAY + timedelta(days=offset), user, "ckpt-evals-1", shards)
    access, own = frames_of(later, frames)
    features = features_of(access, plain.context)
    coverage = coverage_of_rows({u: rows.objects for u, rows in own.items()}, plain.context)
    peeking = plain.but(
        access=access,
        entity_days=features.entity_days,
        pairs=features.pairs,
        novelty=features.novelty,
        coverage=coverage,
        covered=coverage,
        first_reads=coverage,
    )
    pd.testing.assert_frame_equal(score_all(plain, SETTINGS), score_all(peeking, SETTINGS))


def test_order_of_rows_does_not_matter(planted: Callable[..., Any]) -> None:
    history, _ = planted(everything_at_once)
    rng = np.random.default_rng(2)

    def mixed(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.iloc[rng.permutation(len(frame))].reset_index(drop=True)

    shuffled = replace(
        history, access=mixed(history.access), entity_days=mixed(history.entity_days),
        pairs=mixed(history.pairs), novelty=mixed(history.novelty),
        coverage=mixed(history.coverage), covered=mixed(history.covered),
        first_reads=mixed(history.first_reads),
        api_days=mixed(history.api_days), job_access=mixed(history.job_access),
        place_access=mixed(history.place_access), grants=mixed(history.grants),
        steps=mixed(history.steps),
        source_days=mixed(history.source_days), rare_acts=mixed(history.rare_acts),
        nodes=mixed(history.nodes), edges=mixed(history.edges),
    )  # fmt: skip
    expected, found = score_all(history, SETTINGS), score_all(shuffled, SETTINGS)
    pd.testing.assert_frame_equal(expected, found, rtol=1e-9)


def test_no_context_at_all(planted: Callable[..., Any]) -> None:
    """Without directory and assets there is less to say, and nothing breaks."""
    history, user = planted(leaver_copies_everything)
    bare = history.but(context=empty_history().context)
    rows = score_all(bare, SETTINGS)
    assert user in set(rows["entity"])
    assert {"burst_self", "shard_coverage", "first_access"} <= set(rows["detector"])


def test_disabled_detectors_are_silent(planted: Callable[..., Any]) -> None:
    history, _ = planted(leaver_copies_everything)
    rows = score_all(history, detector_settings({"burst_self": {"enabled": False}}))
    assert "burst_self" not in set(rows["detector"])
    assert "burst_peers" in set(rows["detector"])
