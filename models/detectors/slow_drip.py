"""An artefact drained in portions: each day new parts, and hardly any part twice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from models.detectors.settings import DetectorSettings
from models.detectors.signal import Signal
from models.features.assets import EVIDENCE_ASSETS
from models.features.coverage import read_today, total_objects
from models.features.rows import Floats, active_kinds, each_part, explode_structs, log_days
from models.features.settings import Number, Whole
from models.features.strangeness import HabitSettings, facts_names, read_strangeness
from models.reasons.parts import Assets, Count
from models.reasons.reason import Reason
from schemas.tables.values import WINDOW_DAYS

if TYPE_CHECKING:
    from models.features.history import History


class SlowDripSettings(DetectorSettings, HabitSettings):
    """Settings of slow_drip.yml."""

    least_days: Whole
    least_objects: Whole
    min_share: Number


def score(history: History, settings: SlowDripSettings) -> list[Signal]:
    """How systematically artefacts are drained; higher is riskier, 0 where nothing speaks for it.

    Somebody who works with an artefact reads parts of it again and again. With portions of ``m``
    objects drawn at random, (1 − c) m would be new at coverage c; the statistic is the z of how
    many more were new (each day's portion counts as one draw, which is cautious), times the share
    reached and the strangeness of shard_coverage. Only artefacts read today, on at least
    ``least_days`` days. Fails for a thief who reads everything twice.
    """
    kinds = active_kinds(history)
    today = read_today(history)
    if today.empty:
        return []
    rows: list[Signal] = []
    for window in ("30d", "90d") if log_days(history) >= WINDOW_DAYS["30d"] else ("30d",):
        days = WINDOW_DAYS[window]
        drained = drain(today, total_objects(today, history), days)
        enough = drained["portions"] >= settings.least_days
        size = np.minimum(1.0, drained["objects"] / max(1.0, settings.least_objects))
        share = drained["share"].to_numpy()
        statistic = np.where(enough, drained["z"].clip(lower=0) * share * size, 0.0)
        unlike = read_strangeness(history, drained, days, settings)
        drained["statistic"] = statistic * unlike
        rows += _describe(history, drained, window, kinds)
    return rows


def drain(today: pd.DataFrame, totals: Floats, days: int) -> pd.DataFrame:
    """How each artefact was read within ``days`` (30 or 90) days, by row of COVERAGE.

    ``totals``: objects of each artefact. Columns: ``user_id``, ``asset_id``, ``portions`` (days
    with reads), ``objects`` (distinct), ``repeats`` (reads of an object on a later day than its
    first), ``share`` (of the artefact, 0–1), ``total``, ``z`` (new objects above chance; higher is
    riskier).
    """
    row, found = explode_structs(today["portions"], ("ago", "objects", f"first{days}"))
    near = found[:, 0] < days
    cell = row[near] * days + found[near, 0].astype(np.int64)
    length = len(today) * days
    portion = np.bincount(cell, found[near, 1], length).reshape(-1, days)[:, ::-1]
    fresh = np.bincount(cell, found[near, 2], length).reshape(-1, days)[:, ::-1]
    reached = np.cumsum(fresh, axis=1) / totals[:, None]
    before = np.clip(np.c_[np.zeros(len(today)), reached[:, :-1]], 0.0, 1.0)
    surplus = (fresh - portion * (1 - before)).sum(axis=1)
    variance = (portion**2 * before * (1 - before)).sum(axis=1)
    return pd.DataFrame(
        {
            "user_id": today["user_id"].to_numpy(dtype=object),
            "asset_id": today["asset_id"].to_numpy(dtype=object),
            "portions": (portion > 0).sum(axis=1),
            "objects": fresh.sum(axis=1),
            "repeats": (portion - fresh).sum(axis=1),
            "share": np.minimum(1.0, fresh.sum(axis=1) / totals),
            "total": totals,
            "z": surplus / np.sqrt(variance + 1.0),
        }
    )


def _describe(
    history: History,
    drained: pd.DataFrame,
    window: str,
    kinds: Mapping[str, str],
) -> list[Signal]:
    names = facts_names(history)
    drained = drained.sort_values(
        ["user_id", "statistic", "asset_id"], ascending=[True, False, True]
    )
    rows: list[Signal] = []
    columns = ["statistic", "asset_id", "portions", "objects", "total", "repeats", "share"]
    for user, mine in each_part(drained, "user_id", columns):
        if user not in kinds:
            continue
        lead = {name: values[0] for name, values in mine.items()}
        told = mine["statistic"] > 0
        told[0] = True
        assets = [str(asset) for asset in mine["asset_id"][told][:EVIDENCE_ASSETS]]
        expected = float(_by_chance(lead["objects"], lead["total"]))
        reason = Reason(
            "read_in_portions",
            asset=Assets((names.get(assets[0], assets[0]),)),
            portions=Count(float(lead["portions"])),
            days=Count(WINDOW_DAYS[window]),
            objects=Count(float(lead["objects"])),
            total=Count(float(lead["total"])),
            repeats=Count(float(lead["repeats"])),
        )
        rows.append(
            Signal(
                entity=user,
                user_kind=kinds[user],
                window=window,
                statistic=float(lead["statistic"]),
                observed=float(lead["share"]),
                expected=expected,
                unit="share",
                reason=reason,
                asset_ids=assets,
            )
        )
    return rows


def _by_chance(read: float, total: float) -> Floats:
    """Share that as many reads drawn at random would reach."""
    return np.asarray(-np.expm1(-read / max(total, 1.0)), dtype=np.float64)
