"""What a detector says of one identity in one window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from models.reasons.reason import Reason, dump_reasons

SIGNAL_COLUMNS = (
    "entity",
    "user_kind",
    "window",
    "statistic",
    "observed",
    "expected",
    "unit",
    "reason",
    "reason_parts",
    "asset_ids",
    "related_users",
)
"""Columns of :func:`signal_frame`, as in schemas.tables.signals."""
MOST_RELATED = 200
"""Other identities that a signal names."""


@dataclass(frozen=True, slots=True)
class Signal:
    """One identity in one window.

    ``statistic`` is on the detector's own scale, higher is riskier; it is calibrated afterwards
    against the statistics of recent days. ``observed`` and ``expected`` are in ``unit``.
    """

    entity: str
    user_kind: str
    window: str
    statistic: float
    observed: float
    expected: float | None
    unit: str
    reason: Reason
    asset_ids: Sequence[str] = ()
    related_users: Sequence[str] = ()


def signal_frame(signals: Sequence[Signal]) -> pd.DataFrame:
    """A row for each signal, with SIGNAL_COLUMNS."""
    rows = [
        (
            signal.entity,
            signal.user_kind,
            signal.window,
            signal.statistic,
            signal.observed,
            signal.expected,
            signal.unit,
            signal.reason.say(),
            dump_reasons([signal.reason]),
            list(signal.asset_ids),
            list(signal.related_users),
        )
        for signal in signals
    ]
    return pd.DataFrame(rows, columns=SIGNAL_COLUMNS)
