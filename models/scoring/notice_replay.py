"""What somebody did in the 90 days before it became known that they leave.

Who plans to leave takes first and gives notice afterwards. On the day on which the directory first
says so, the strongest signal of the 89 days before becomes a signal of ``leaver``, window 90d. So
it is weighed once more, by the rules for people who leave. Its p-value pays for the choice among
all windows and days (Bonferroni).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from models.detectors.signal import Signal, signal_frame
from models.features.rows import each_row
from models.reasons.finding import signal_reason
from models.reasons.parts import Day
from models.reasons.reason import Reason

LEAVER, WINDOW = "leaver", "90d"
NOTHING = Reason("leaver_takes_nothing")


def replay(
    leavers: Mapping[str, Reason],
    earlier: pd.DataFrame,
    windows: pd.Series,
    days: pd.Series,
) -> pd.DataFrame:
    """A signal for each of the ``leavers`` who was active before: SIGNAL_COLUMNS and ``p_value``.

    ``earlier``: rows of SIGNALS of the 89 days before; weak ones may lack. ``windows``: how many
    each detector has. ``days``: on how many days each identity was active. The statistic is −log10
    of the p-value; 0 and p 1 if nothing was unlikely enough.
    """
    rows = earlier[earlier["entity"].isin(list(leavers)) & (earlier["detector"] != LEAVER)]
    looks = rows["detector"].map(windows).fillna(1) * rows["entity"].map(days)
    rows = rows.assign(p=np.minimum(1.0, rows["p_value"].astype("float64") * looks))
    rows = rows.sort_values(["p", "day", "detector", "window"], ignore_index=True)
    best = {str(row.entity): row for row in each_row(rows.drop_duplicates("entity"))}
    signals, p_values = [], []
    for user in sorted(set(leavers) & set(days.index)):
        row = best.get(user)
        if row is None or row.p >= 1:
            signals.append(Signal(user, "human", WINDOW, 0.0, 0.0, None, "share", NOTHING))
            p_values.append(1.0)
            continue
        expected = None if pd.isna(row.expected) else float(row.expected)
        said = signal_reason(row, expected)
        reason = Reason(
            "leaver_replayed", notice=leavers[user], day=Day(row.day.isoformat()), taken=said
        )
        assets, related = list(row.asset_ids), list(row.related_users)
        signals.append(
            Signal(user, str(row.user_kind), WINDOW, float(-np.log10(row.p)), float(row.observed),
                   expected, str(row.unit), reason, assets, related)
        )  # fmt: skip
        p_values.append(float(row.p))
    found = signal_frame(signals).assign(p_value=p_values)
    return found.astype({"expected": "float64", "p_value": "float64"})
