"""A job, pod or role session that reads what neither its submitter nor their team ever read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from models.detectors.settings import DetectorSettings
from models.detectors.signal import Signal
from models.features.assets import EVIDENCE_ASSETS, owner_teams
from models.features.job_readings import job_readings
from models.features.novelty import trust_after
from models.features.people import teams
from models.features.rows import Floats, active_or_in, each_part, each_row, log_days
from models.features.sensitivity import sensitivity_shares
from models.features.settings import Number, Whole
from models.features.takings import whole_objects
from models.reasons.parts import Amount, Assets, Count, Identities, Word
from models.reasons.reason import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from numpy.typing import NDArray

    from models.features.history import History


LEADING = 0.1
"""Part of the largest value from which a reading is named."""


class JobCoverSettings(DetectorSettings):
    """Settings of job_cover.yml."""

    by_account: Number
    by_name: Number
    own_team: Number
    colleague: Number
    submitter: Number
    habit_days: Whole
    settle_days: Whole
    min_objects: Number


def score(history: History, settings: JobCoverSettings) -> list[Signal]:
    """Sum of (sensitivity ÷ 5)² × log2(1 + objects) × strangeness × certainty over the readings.

    Row 1d for everyone, 0 for those whose jobs read nothing; higher is riskier. The entity is the
    submitter. Strangeness, 0–1, falls with the colleagues who read the family before (two and more
    excuse much, one little), with the role's other submitters who did, with the days on which the
    role did so without any job, and with the submitter's own habit (see
    :mod:`models.features.job_readings`); it is ``own_team`` for assets of the submitter's team. The
    certainty is that of the tie ÷ the submitters to whom the reading is tied as well.

    It fails where no tie can be made: a node whose name holds no address, under a session of
    another name. The source is T1078 as applied to schedulers: no paper measures it.
    """
    rows = job_readings(history)
    everyone = active_or_in(history, rows)
    if everyone.empty:
        return []
    rows["value"] = _values(history, rows, settings)
    rows = rows.sort_values(
        ["user_id", "value", "asset_id", "tie"], ascending=[True, False, True, True]
    )
    readers = set(history.access["user_id"])
    columns = ["value", "objects", "asset_id", "candidates", "job", "role", "tie", "mates",
               "submitters"]  # fmt: skip
    found = dict(each_part(rows[rows["value"] > 0], "user_id", columns))
    return [
        _signal(user, kind, found[user], readers)
        if user in found
        else Signal(user, kind, "1d", 0.0, 0.0, 0.0, "objects", Reason("no_job_read"))
        for user, kind in each_row(everyone)
    ]


def _values(history: History, rows: pd.DataFrame, settings: JobCoverSettings) -> Floats:
    declared = teams(history.context)
    owners = owner_teams(history.context)
    owned = np.array(
        [
            bool(declared.get(user)) and declared.get(user) == owners.get(asset)
            for user, asset in zip(rows["user_id"], rows["asset_id"], strict=True)
        ],
        dtype=bool,
    )
    certainty = rows["tie"].map({"account": settings.by_account, "name": settings.by_name})
    own, mates, submitters, alone = (
        rows[name].to_numpy(dtype=np.float64)
        for name in ("own_days", "mates", "submitters", "alone_days")
    )
    strange = (
        1 / (1 + own / settings.habit_days)
        / (1 + settings.colleague * mates**2)
        / (1 + settings.submitter * submitters)
        / (1 + alone / settings.habit_days)
        * np.where(owned, settings.own_team, 1.0)
        * float(trust_after(log_days(history), settings.settle_days))
    )  # fmt: skip
    weight = sensitivity_shares(rows.assign(user_id=rows["role"]), history) ** 2
    amount = np.log2(1 + rows["objects"].to_numpy(dtype=np.float64))
    sure = certainty.fillna(1.0).to_numpy(dtype=np.float64) / rows["candidates"].to_numpy()
    values: Floats = weight * amount * strange * sure
    return values


def _signal(user: str, kind: str, mine: Mapping[str, NDArray[Any]], readers: set[str]) -> Signal:
    statistic = float(mine["value"].sum())
    leading = mine["value"] >= LEADING * mine["value"][0]
    mine = {name: values[leading] for name, values in mine.items()}
    first = {name: values[0] for name, values in mine.items()}
    objects = float(mine["objects"].sum())
    meant = float(whole_objects(np.array([objects]), np.array([statistic]))[0])
    assets = tuple(dict.fromkeys(str(asset) for asset in mine["asset_id"]))[:EVIDENCE_ASSETS]
    others = int(first["candidates"]) - 1
    reason = Reason(
        "job_read",
        job=Assets((str(first["job"]),)),
        role=Identities((str(first["role"]),)),
        objects=Amount(objects, "objects"),
        assets=Assets(assets),
        tie=Word("job_tie", str(first["tie"])),
        mates=Count(float(first["mates"])),
        submitters=Count(float(first["submitters"])),
        candidates=Count(float(others)) if others else None,
    )
    roles = sorted({str(role) for role in mine["role"]} & readers)
    return Signal(user, kind, "1d", statistic, meant, 0.0, "objects", reason, assets, roles)
