"""Rows of ``pairs``: each identity and asset that it touched on the day."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from jobs.stages.features.novelty import CHOSEN, GIVEN
from schemas.tables.values import (
    ARCHIVE_WORDS,
    CONTAINER_ENTRIES,
    CONTENT_CLASSES,
    DISTANT_CLASSES,
    GIVING_CLASSES,
    LOOK_CLASSES,
    REPOSITORY_SCHEMES,
    TAKE_CLASSES,
)

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

KEYS = ("user_id", "asset_id")
SUCCEEDED = "events > failures"
TAKEN = f"action_class in {TAKE_CLASSES} and {SUCCEEDED}"
"""SQL: content was taken. Failures alone are no taking."""


def names_any(words: tuple[str, ...]) -> str:
    """SQL: the name of an action holds one of the words."""
    joined = "concat_ws(' ', actions)"
    return "(" + " or ".join(f"instr({joined}, '{word}') > 0" for word in words) + ")"


REPOSITORY = " or ".join(
    ["coalesce(repository, false)", *(f"startswith(asset_id, '{s}')" for s in REPOSITORY_SCHEMES)]
)
CLONED = f"action_class = 'clone' and {SUCCEEDED}"
FETCHED = f"action_class = 'read' and {SUCCEEDED} and ({REPOSITORY})"
ENTERED = f"action_class = 'execute' and {SUCCEEDED} and {names_any(CONTAINER_ENTRIES)}"
# A root is a fraction. Whole millionths add up alike in every order.
ROOTS = "sum(cast(round(sqrt(failures) * 1e6) as bigint)) / 1e6"
FACTS = {
    "user_kind": "min(user_kind)",
    "events": "sum(events)",
    "failures": "sum(failures)",
    "attempts": ROOTS,
    "near": f"max(action_class not in {DISTANT_CLASSES})",
    "content": f"max(action_class in {CONTENT_CLASSES})",
    "looked": f"max(action_class in {LOOK_CLASSES})",
    "taken": f"max({TAKEN})",
    "bytes": f"sum(if({TAKEN}, bytes_out, null))",
    "objects": f"sum(if({TAKEN}, objects, 0))",
    "clones": "sum(if(action_class = 'clone', objects, 0))",
    "lists": f"sum(if(action_class in {LOOK_CLASSES}, events, 0))",
    "writes": "sum(if(action_class in ('write', 'delete'), events, 0))",
    "executes": "sum(if(action_class = 'execute', events, 0))",
    "gives": f"sum(if(action_class in {GIVING_CLASSES}, events, 0))",
    "given": f"sum(if({GIVEN}, objects, 0))",
    "entries": f"sum(if({ENTERED}, events, 0))",
    "cloned": f"max({CLONED})",
    "fetched": f"max({FETCHED})",
    "archived": f"max((({CLONED}) or ({FETCHED})) and {names_any(ARCHIVE_WORDS)})",
    "destinations": f"array_sort(array_distinct(flatten(collect_list("
    f"if({GIVEN}, destinations, array())))))",
    "chosen": f"min({CHOSEN} or events <= failures) and max({CHOSEN})",
}
"""Columns of the day alone, and their SQL."""


def pair_rows(
    access: DataFrame,
    before: DataFrame,
    assets: DataFrame,
    novelty: DataFrame,
    past: DataFrame,
    listed: DataFrame,
    day: date,
) -> DataFrame:
    """``pairs`` of the day; ``before``: its rows of the 89 days before.

    ``assets``, ``novelty``: ``asset_days`` and ``novelty`` of the day; ``past``: ``entity_days`` of
    the 89 days before; ``listed``: repositories and sensitive assets.
    """
    from pyspark.sql.functions import expr

    known = access.join(listed, "asset_id", "left")
    today = known.groupBy(*KEYS).agg(*(expr(sql).alias(name) for name, sql in FACTS.items()))
    earlier = (
        before.select(*KEYS, "day")
        .join(today.select(*KEYS), [*KEYS], "left_semi")
        .groupBy(*KEYS)
        .agg(expr("cast(count(*) as int) as days"), expr("min(day) as first_seen"))
    )
    new = _new_credentials(known, novelty, past)
    first = assets.selectExpr("asset_id", "first_day as asset_first_day")
    return (
        today.join(earlier, [*KEYS], "left")
        .join(new, [*KEYS], "left")
        .join(first, ["asset_id"], "left")
        .selectExpr(
            f"date'{day}' as day",
            *KEYS,
            *(name for name in FACTS if name != "chosen"),
            "coalesce(new_credential, false) as new_credential",
            "coalesce(days, 0) as days_before",
            f"coalesce(first_seen, date'{day}') as first_day",
            "asset_first_day",
            "chosen",
        )
    )


def _new_credentials(known: DataFrame, novelty: DataFrame, past: DataFrame) -> DataFrame:
    """Pairs with a clone or fetch by a credential that is new to an identity seen before."""
    keys = ["user_id", "credential"]
    used = known.where(f"({CLONED}) or ({FETCHED})").selectExpr(
        *KEYS, "explode(credentials) as credential"
    )
    new = novelty.where("kind = 'credential' and days_before = 0").selectExpr(
        "user_id", "value as credential"
    )
    return (
        used.join(new, keys, "left_semi")
        .join(past.select("user_id").distinct(), ["user_id"], "left_semi")
        .select(*KEYS)
        .distinct()
        .selectExpr(*KEYS, "true as new_credential")
    )
