"""What puts it in doubt that the evidence is of the identity that it names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from models.features.rows import explode
from models.reasons.parts import Identities
from models.reasons.reason import Reason

if TYPE_CHECKING:
    from models.features.history import History

CHOSEN_SHARE = 0.5
"""Share of the evidence from which a chosen name puts the finding in doubt."""


def doubts(evidence: pd.DataFrame, entity: str, history: History) -> tuple[Reason, ...]:
    """A note if most of the evidence rests on a name that somebody else may have chosen.

    Most of the events or of the objects, in the window or on the day: whoever borrows the name of
    somebody who works with the assets adds little to that work.
    """
    chosen = pd.to_numeric(evidence["chosen_names"]).fillna(0).astype("float64")
    amounts = evidence[["events", "objects"]].astype("float64").fillna(0.0)
    part = amounts.mul(chosen / amounts["events"].clip(lower=1), axis=0)
    today = evidence["ago"] == 0
    shares = pd.concat([part.sum() / amounts.sum(), part[today].sum() / amounts[today].sum()])
    if not (shares >= CHOSEN_SHARE).any():
        return ()
    named = sorted({str(role) for role in explode(evidence.loc[chosen > 0, "acting_as"])[1]})
    if not named:
        return (Reason("typed_name"),)
    rows = history.novelty[history.novelty["day"] == history.day]
    used = rows[(rows["kind"] == "role") & rows["value"].isin(named)]
    others = sorted({str(user) for user in used["user_id"]} - {entity})
    return (
        Reason(
            "chosen_name",
            roles=Identities(tuple(named)),
            others=Identities(tuple(others)) if others else None,
        ),
    )
