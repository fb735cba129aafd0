"""Colleagues who do the same on the same day: one cause explains them, such as a launch.

A signal is shared with colleagues of the declared team. A colleague shares it if the same detector
finds the colleague at least half as surprising: p is at most the square root of the signal's p.
Chance alone makes some colleagues so surprising, and only those beyond their number share. With n
of them the signal counts 1 ÷ (1 + n).

Nobody can make colleagues surprising by writing their names: whoever acted under a name that a
caller chose is no colleague here. Several thieves of one team would share, so detectors that tell
of several people themselves are exempt, see ``DetectorSettings.together``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd

KEY = ["entity", "detector"]


def colleagues_alike(
    signals: pd.DataFrame, team_of: Mapping[str, str], named: Collection[str], most_p: float
) -> dict[tuple[str, str], float]:
    """Colleagues beyond chance who share a signal: by entity and detector, if above 0.

    ``signals``: ``entity``, ``detector``, ``p_value``, a row for each window. ``named``: identities
    under whose names others could have acted. ``most_p``: p-value above which nobody is told of.
    """
    team = signals["entity"].map(team_of).fillna("")
    rows = signals[team != ""].groupby(KEY)["p_value"].agg(p="min", windows="size").reset_index()
    rows["team"] = rows["entity"].map(team_of)
    mine = rows[rows["p"] <= most_p]
    others = rows[~rows["entity"].isin(list(named))]
    pairs = mine.merge(others, on=["team", "detector"], suffixes=("", "_other"))
    pairs = pairs[pairs["entity"] != pairs["entity_other"]]
    level = np.sqrt(pairs["p"])
    alike = (pairs["p_other"] <= level).astype(np.float64)
    by_chance = np.minimum(1.0, pairs["windows_other"] * level)
    beyond = (alike - by_chance).groupby([pairs["entity"], pairs["detector"]]).sum()
    return {(str(who), str(what)): float(n) for (who, what), n in beyond.items() if n > 0}
