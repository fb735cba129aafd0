"""Table of the stage `signals`."""

from __future__ import annotations

from schemas.tables.spec import Column, Table
from schemas.tables.values import USER_KINDS, WINDOWS

SIGNALS = Table(
    name="signals",
    stage="signals",
    grain="day x entity x detector x window",
    key=("entity", "detector", "window"),
    columns=(
        Column("day", "date", "day scored; the window ends with it"),
        Column("entity", "string", "user_id"),
        Column("user_kind", "string", "kind of identity", values=USER_KINDS),
        Column("detector", "string", "name of the detector"),
        Column("window", "string", "length of the window", values=WINDOWS),
        Column("statistic", "double", "the detector's own scale; higher is riskier"),
        Column("p_value", "double", "calibrated", minimum=0, maximum=1),
        Column("observed", "double", "the observed amount, in `unit`"),
        Column(
            "expected", "double", "the amount that the baseline expects, in `unit`", nullable=True
        ),
        Column("unit", "string", "bytes, objects, repositories, share, …"),
        Column("reason", "string", "one plain sentence with the figures that matter"),
        Column(
            "reason_parts",
            "string",
            "the same sentence with its typed parts as JSON (see models.reasons)",
            nullable=True,
        ),
        Column(
            "settings_hash",
            "string",
            "hash of the detector's settings; signals of equal settings compare",
            nullable=True,
        ),
        Column("asset_ids", "array<string>", "assets of the evidence, the leading one first"),
        Column("related_users", "array<string>", "other identities in the evidence"),
    ),
)
