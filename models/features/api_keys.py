"""API keys of a week: amounts, and the attributes that keys of one hand have in common."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from models.features.addresses import end_site
from models.features.api import API_DAYS_BACK
from models.features.assets import listed_assets
from models.features.memory import remembered
from models.features.moments import shared_moments
from models.features.people import people
from models.features.rows import Codes, Floats, explode, recent
from schemas.tables.values import OUR_ZONES

if TYPE_CHECKING:
    from models.features.history import History

WEEK_DAYS = 7
TOKENS_OF_AN_ANSWER = 200
"""Completion tokens taken for an answered query where the log has none."""
OLD_DAYS = 28
"""Days after which the birth of a key says nothing."""
FIRST_DAYS = 2
"""First days of a gateway's log, on which every key seems new."""
BIRTH_DAYS = 4
"""Length of the spans in which births are close together."""
SETTLED_DAYS = 5
"""Earlier days at a place from which it is usual for a person or service."""
TEMPLATE_DAYS, WATCHED_DAYS = 14, 21
"""Days after which an identity's use of a template is old, and days of logged prompts before any
use counts as new."""
OWN_NETWORKS = tuple(f"{zone}/" for zone in OUR_ZONES)
"""Beginnings of networks that are ours."""
PRIVATE = re.compile(
    r"10\.|127\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\."
    r"|fe80|f[cd][0-9a-f]{2}:",
    re.IGNORECASE,
)
"""Addresses that many networks use, so that one of them says nothing."""


@dataclass(frozen=True)
class ApiKeys:
    """Keys that were used in the seven days, in code order.

    ``facts``: by key ``user_id``, ``credential``, ``tokens`` (completion), ``requests``,
    ``outside`` (never used from our own networks), ``earlier`` (keys a week that its owner used
    before) and the attributes ``model``, ``parameters``, ``agent``, ``rhythm``; empty text: not
    known. ``addresses``, ``networks``, ``births``, ``templates``, ``moments``: ``key`` and
    ``value``, one row for each value of a key. ``new_templates``: those of ``templates`` that the
    key's owner did not use TEMPLATE_DAYS before; none while prompts are logged for less than
    WATCHED_DAYS. ``by_chance``: by moment the number of keys that have it by chance. ``usual``: by
    network the share of the directory's identities that were long there, in any log, 0 to 1.
    ``days``: days between the first query in the log and the day.
    ``launched``: listed models whose first answer in the log is less than OLD_DAYS old.
    """

    facts: pd.DataFrame
    addresses: pd.DataFrame
    networks: pd.DataFrame
    births: pd.DataFrame
    templates: pd.DataFrame
    new_templates: pd.DataFrame
    moments: pd.DataFrame
    by_chance: pd.Series
    usual: pd.Series
    days: int
    launched: frozenset[str] = frozenset()


@remembered
def api_keys(history: History) -> ApiKeys:
    """The keys of the week that ends with the day."""
    columns = ["user_id", "credential", "asset_id", "requests", "failures", "completion_tokens"]
    month = recent(history.api_days, history.day, [*columns, "templates"], API_DAYS_BACK)
    lists = ["parameters", "hours", "minutes", "moments", "networks", "addresses", "agents"]
    week = recent(history.api_days, history.day, [*columns, *lists], WEEK_DAYS)
    month = month[month["user_id"] != ""].reset_index(drop=True)
    week = week[week["user_id"] != ""].reset_index(drop=True)
    known = pd.to_numeric(week["completion_tokens"]).astype("float64")
    answered = (week["requests"] - week["failures"]).astype("float64")
    week["tokens"] = known.fillna(TOKENS_OF_AN_ANSWER * answered)
    grouped = week.groupby(["user_id", "credential"], sort=True)
    week["key"] = grouped.ngroup()
    facts = grouped.agg(tokens=("tokens", "sum"), requests=("requests", "sum")).reset_index()
    count = len(facts)
    for name, column in (("model", "asset_id"), ("parameters", "parameters")):
        facts[name] = _leading(week, column, count)
    facts["agent"] = _most_common(_items(week, "agents"), count)
    facts["rhythm"] = _rhythms(week, count)
    networks, addresses = _items(week, "networks"), _items(week, "addresses")
    addresses = addresses[~_is_private(addresses["value"])]
    addresses = addresses.assign(value=addresses["value"].map(end_site))
    ours = networks["value"].str.startswith(OWN_NETWORKS) | _is_private(networks["value"])
    facts["outside"] = ~facts.index.isin(networks.loc[ours, "key"])
    facts["earlier"] = _earlier_keys(month, facts)
    templates, new_templates = _templates(month, facts)
    moments, by_chance = shared_moments(week)
    return ApiKeys(
        facts=facts,
        addresses=_distinct(addresses),
        networks=_distinct(networks[~ours]),
        births=_births(month, facts, history),
        templates=templates,
        new_templates=new_templates,
        moments=moments,
        by_chance=by_chance,
        usual=_usual_networks(history),
        days=int(month["ago"].max()) if len(month) else 0,
        launched=_launched(month, history),
    )


def _launched(month: pd.DataFrame, history: History) -> frozenset[str]:
    """Only models of assets.csv: customers may give names to models of their own."""
    first = month[month["requests"] > month["failures"]].groupby("asset_id")["ago"].max()
    reach = int(month["ago"].max()) if len(month) else 0
    young = first[(first < OLD_DAYS) & (first <= reach - FIRST_DAYS)]
    return frozenset(map(str, young.index)) & set(listed_assets(history.context).index)


def _usual_networks(history: History) -> pd.Series:
    """Share of the directory's identities of two days that were long at each place, by place.

    Strangers do not count, and nobody counts at a place that is new to them: so neither customers
    nor stolen keys make the network of a ring usual.
    """
    rows = history.place_days
    rows = rows[rows["user_id"].isin(people(history.context).index)]
    settled = rows[rows["days"] >= SETTLED_DAYS].groupby("place")["user_id"].nunique()
    return settled / max(1, rows["user_id"].nunique())


def _items(week: pd.DataFrame, column: str) -> pd.DataFrame:
    """``key`` and ``value``: each item of a column of lists."""
    row, items = explode(week[column])
    values = pd.Series(items, dtype=object).astype(str)
    return pd.DataFrame({"key": week["key"].to_numpy()[row], "value": values})


def _distinct(items: pd.DataFrame) -> pd.DataFrame:
    return items.drop_duplicates().reset_index(drop=True)


def _is_private(values: pd.Series) -> Any:
    return values.str.match(PRIVATE)


def _leading(week: pd.DataFrame, column: str, count: int) -> Any:
    """The value of each key that most queries have; ties by name."""
    sums = week.groupby(["key", column])["requests"].sum().reset_index()
    sums = sums.sort_values(["key", "requests", column], ascending=[True, False, True])
    first = sums.drop_duplicates("key").set_index("key")[column]
    return first.reindex(range(count)).fillna("").to_numpy(dtype=object)


def _most_common(items: pd.DataFrame, count: int) -> Any:
    """The value of each key that stands in most of its rows; ties by name."""
    sums = items.groupby(["key", "value"]).size().rename("rows").reset_index()
    sums = sums.sort_values(["key", "rows", "value"], ascending=[True, False, True])
    first = sums.drop_duplicates("key").set_index("key")["value"]
    return first.reindex(range(count)).fillna("").to_numpy(dtype=object)


def _rhythms(week: pd.DataFrame, count: int) -> Any:
    """When a key is used: its days of the week, and the centre of its hours or ``flat``.

    The centre is the circular mean of the UTC hours, to four hours; mean resultant length below
    0.4 is flat (Mardia & Jupp 2000, Directional Statistics, 2.2). Fewer than 10 queries: empty.
    """
    hours = np.zeros((count, 24))
    row, items = explode(week["hours"])
    place = np.arange(len(items)) % 24
    np.add.at(hours, (week["key"].to_numpy()[row], place), np.array(items, dtype=np.float64))
    angle = np.exp(2j * np.pi * np.arange(24) / 24)
    total = hours.sum(axis=1)
    mean = hours @ angle / np.maximum(total, 1)
    centre = (np.angle(mean) / (2 * np.pi) * 6 + 6.5).astype(np.int64) % 6
    used = np.zeros((count, WEEK_DAYS), dtype=np.int64)
    used[week["key"].to_numpy(), week["ago"].to_numpy()] = 1
    mask = used @ (1 << np.arange(WEEK_DAYS))
    return np.array(
        [
            "" if few else f"{days}/{'flat' if short else where}"
            for few, days, short, where in zip(
                total < 10, mask, np.abs(mean) < 0.4, centre, strict=True
            )
        ],
        dtype=object,
    )


def _earlier_keys(month: pd.DataFrame, facts: pd.DataFrame) -> Floats:
    """Distinct keys a week that the owner of each key used in the weeks before."""
    past = month[month["ago"] >= WEEK_DAYS]
    weeks = past.assign(week=past["ago"] // WEEK_DAYS)
    keys = weeks.drop_duplicates(["user_id", "week", "credential"])
    a_week = keys.groupby(["user_id", "week"]).size().groupby("user_id").median()
    return np.asarray(facts["user_id"].map(a_week).fillna(0.0), dtype=np.float64)


def _templates(month: pd.DataFrame, facts: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Templates of the week by key, and those that are new to the key's owner."""
    row, items = explode(month["templates"])
    uses = month[["user_id", "credential", "ago"]].iloc[row]
    uses = uses.assign(value=np.array(items, dtype=object))
    numbered = facts[["user_id", "credential"]].assign(key=np.arange(len(facts)))
    week = uses[uses["ago"] < WEEK_DAYS].merge(numbered, on=["user_id", "credential"])
    found = week[["user_id", "key", "value"]].drop_duplicates().reset_index(drop=True)
    old = uses.loc[uses["ago"] >= TEMPLATE_DAYS, ["user_id", "value"]].drop_duplicates()
    known = found.merge(old.assign(old=True), on=["user_id", "value"], how="left")["old"].notna()
    watched = len(uses) > 0 and int(uses["ago"].max()) >= WATCHED_DAYS
    new = found[~known] if watched else found.iloc[:0]
    return found[["key", "value"]], new[["key", "value"]].reset_index(drop=True)


def _births(month: pd.DataFrame, facts: pd.DataFrame, history: History) -> pd.DataFrame:
    """Spans of days in which each young key was first used; two that overlap for each."""
    first = month.groupby(["user_id", "credential"])["ago"].max()
    wanted = pd.MultiIndex.from_frame(facts[["user_id", "credential"]])
    ago = first.reindex(wanted).to_numpy(np.float64)
    reach = float(month["ago"].max()) if len(month) else 0.0
    young = np.flatnonzero((ago < OLD_DAYS) & (ago <= reach - FIRST_DAYS))
    born = history.day.toordinal() - ago[young].astype(np.int64)
    spans: Codes = np.concatenate(
        [born // BIRTH_DAYS * 2, (born + BIRTH_DAYS // 2) // BIRTH_DAYS * 2 + 1]
    )
    return pd.DataFrame({"key": np.tile(young, 2), "value": spans.astype(str)})
