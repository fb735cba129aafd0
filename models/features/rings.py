"""Rings: groups of API keys that have more in common than chance explains."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from models.features.api_keys import ApiKeys
from models.features.rows import Codes, Floats

USUAL_QUANTILE = 0.9
MOST_RINGS = 500
FEW_KEYS = 3.0
"""Keys that one provider's network, a new template or a moment has without any reason."""
TIES = {
    "address": ("address",),
    "network": ("network",),
    "owner": ("owner",),
    "network_program": ("network", "agent", "model"),
    "program": ("agent", "parameters", "model"),
    "birth_program": ("birth", "agent", "model"),
    "birth_parameters": ("birth", "parameters", "model"),
    "birth_rhythm": ("birth", "rhythm", "model"),
    "rhythm": ("rhythm", "parameters", "agent", "model"),
    "template": ("template",),
    "birth_template": ("birth", "template", "model"),
    "minutes": ("moment",),
}
"""Kinds of tie, and the attributes that keys tied by it share."""
OUTSIDE_ONLY = frozenset({"program", "rhythm", "birth_program", "birth_parameters", "birth_rhythm",
                          "template", "birth_template", "minutes"})  # fmt: skip
"""Ties that count between keys used from outside alone. Inside, one program serves many people, and
a team begins to use a model in the same days."""
PROGRAM = ("agent", "parameters", "model", "template")
"""Attributes that a program brings along."""
CLOUD = "cloud/"
"""Beginning of networks of hosters."""
CHEAP = frozenset({"template", "minutes"})
"""Ties of values that a ring can make in any number. So other values say nothing of the usual."""


@dataclass(frozen=True)
class Ring:
    """``keys``: positions of its keys; ``tie``, ``nats``: its strongest tie and its surprise."""

    keys: Codes
    tie: str
    nats: float


def find_rings(keys: ApiKeys, least_keys: int, tie_nats: float, usual_keys: int) -> list[Ring]:
    """Connected components of keys by ties of at least ``tie_nats``; strongest first.

    A tie is a set of m ≥ ``least_keys`` keys with the same values of some attributes. Its surprise
    is the Poisson deviance m ln(m / E) − (m − E), in nats; E is the number of keys with all these
    values if attributes were independent, with their shares among all keys that are not in the set,
    so that a ring does not make its own values usual. Of a program's attributes the share of those
    with all of them counts if it is larger. For an address, a network or an owner E is at least the
    0.9 quantile of the numbers of keys of its other values, for a network, a template alone or a
    moment at least FEW_KEYS. The share of a network is at least that of the directory's identities
    that were long there. An owner's earlier number of keys a week counts up to ``usual_keys``.
    Linear in keys × values: no pair of keys is compared.

    A template alone ties only the keys whose owners began to use it in the last TEMPLATE_DAYS.
    Those who used it before are others: the prompts of a well-known product are usual by them, and
    whoever copies the template of an honest customer does not draw that customer into the ring.
    A customer who began in these days is drawn in if somebody guesses the template. A new product
    looks like a ring, until its customers are old. Keys with templates of their own share none, and
    the other ties hold as if no prompt was logged. Minutes tie keys of few queries in an hour that
    are used at once (:func:`models.features.moments.shared_moments`). Keys that take turns, and
    programs that run for less than CLOCK_MINUTES from a quarter of an hour on, share none.

    In the first OLD_DAYS of a launched model its customers begin together, with the newest version
    of a common program. So a common program, its parameters and its rhythm, or the days of birth,
    tie no keys of this model, and neither does a network of the zone ``cloud``. A program is common
    if keys outside of the set use some version of it.
    """
    found = [tie for kind in TIES for tie in _ties(keys, kind, least_keys, usual_keys)]
    found = [tie for tie in found if tie.nats >= tie_nats]
    if not found:
        return []
    count = len(keys.facts)
    members = np.concatenate([tie.keys for tie in found])
    numbers = np.repeat(np.arange(len(found)), [len(tie.keys) for tie in found])
    size = count + len(found)
    graph = coo_matrix((np.ones(len(members)), (members, count + numbers)), shape=(size, size))
    labels = connected_components(graph, directed=False)[1]
    strongest: dict[int, Ring] = {}
    for tie, label in sorted(
        zip(found, labels[count:].tolist(), strict=True), key=lambda pair: -pair[0].nats
    ):
        strongest.setdefault(label, tie)
    order = np.argsort(labels[:count], kind="stable")
    of_key = labels[:count][order]
    rings = []
    for label, best in list(strongest.items())[:MOST_RINGS]:
        low, high = np.searchsorted(of_key, [label, label + 1])
        rings.append(Ring(np.sort(order[low:high]), best.tie, best.nats))
    return rings


def _ties(keys: ApiKeys, kind: str, least_keys: int, usual_keys: int) -> Iterator[Ring]:
    """The sets of one kind of tie with more keys than expected."""
    names, count = TIES[kind], len(keys.facts)
    # All holders of a template count in its share, and those to whom it is new are tied by it.
    every = _values(keys, names, new=kind == "template")
    every = every[(every[list(names)] != "").all(axis=1)].reset_index(drop=True)
    outside = keys.facts["outside"].to_numpy()
    rows = every[outside[every["key"]]] if kind in OUTSIDE_ONLY else every
    if rows.empty:
        return
    groups = rows.groupby(list(names), sort=True)
    number = np.asarray(groups.ngroup(), dtype=np.int64)
    size = np.bincount(number).astype(np.float64)
    # Shares are those among all keys: old ones have no birth, those of the office no network.
    expected = np.full(len(size), float(outside.sum() if kind in OUTSIDE_ONLY else count))
    together = [name for name in names if name in PROGRAM]
    alone = np.ones(len(size))
    for name in names:
        share = _share_of_others(keys, rows, number, [name])
        if name == "network":
            usual = keys.usual.reindex(rows["network"]).fillna(0.0).to_numpy(np.float64)
            np.maximum.at(share, number, usual)
        if name in together:
            alone *= share
        else:
            expected *= share
    if together:
        # One program has its own parameters and model, so these are not independent.
        expected *= np.maximum(alone, _share_of_others(keys, rows, number, together))
    if len(names) == 1 and kind not in CHEAP:
        expected = np.maximum(expected, _quantile_of_others(size))
    if "network" in names or kind in CHEAP:
        expected = np.maximum(expected, FEW_KEYS)
    if kind == "minutes":
        chance = keys.by_chance.reindex(rows["moment"]).to_numpy(np.float64)
        np.maximum.at(expected, number, chance)
    if kind == "owner":
        earlier = np.zeros(len(size))
        np.maximum.at(earlier, number, keys.facts["earlier"].to_numpy()[rows["key"]])
        expected = np.maximum(expected, np.minimum(earlier, usual_keys))
    nats = np.where(size > expected, size * np.log(size / expected) - (size - expected), 0.0)
    if kind == "network" or ("model" in names and "template" not in names):
        nats[_of_launch(keys, rows, number)] = 0.0
    order = np.argsort(number, kind="stable")
    parts = np.split(rows["key"].to_numpy()[order], np.cumsum(size.astype(np.int64))[:-1])
    for place in np.flatnonzero((size >= least_keys) & (nats > 0)):
        yield Ring(np.unique(parts[place]), kind, float(nats[place]))


def _of_launch(keys: ApiKeys, rows: pd.DataFrame, number: Codes) -> NDArray[np.bool_]:
    """Whether a launch explains each set: most keys of launched models, by a common program.

    A network explains itself only if networks.csv calls it a cloud.
    """
    size = np.bincount(number)
    facts = keys.facts.iloc[rows["key"]]
    program = facts["agent"].str.partition("/")[0].to_numpy(dtype=object)
    every = keys.facts["agent"].str.partition("/")[0].value_counts()
    inside = pd.Series(number).groupby([number, program]).transform("size").to_numpy(np.float64)
    common = pd.Series(program).map(every).to_numpy(np.float64) - inside >= FEW_KEYS
    if not {"agent", "network"}.intersection(rows):
        common[:] = True
    explained = facts["model"].isin(list(keys.launched)).to_numpy(dtype=bool) & common
    if "network" in rows and "agent" not in rows:
        explained &= rows["network"].str.startswith(CLOUD).to_numpy(dtype=bool)
    found: NDArray[np.bool_] = np.bincount(number, explained) > size / 2
    return found


def _share_of_others(keys: ApiKeys, rows: pd.DataFrame, number: Codes, names: list[str]) -> Floats:
    """Share of the keys outside each set that have the set's values of ``names``, never 0."""
    size = np.bincount(number).astype(np.float64)
    every, count = _values(keys, tuple(names)), len(keys.facts)
    holders = every.groupby(names).size().rename("holders")
    of_row = rows.join(holders, on=names)["holders"].to_numpy(np.float64)
    found = np.zeros(len(size))
    found[number] = of_row
    return np.asarray((found - size + 1) / (count - size + 1), dtype=np.float64)


def _values(keys: ApiKeys, names: tuple[str, ...], new: bool = False) -> pd.DataFrame:
    """``key`` and a column for each attribute; a row for each combination of a key's values.

    ``new``: only templates that are new to the key's owner.
    """
    facts = keys.facts.rename(columns={"user_id": "owner"})
    single = [name for name in names if name in facts]
    rows = facts[single].assign(key=np.arange(len(facts)))
    for name, values in (
        ("address", keys.addresses),
        ("network", keys.networks),
        ("birth", keys.births),
        ("template", keys.new_templates if new else keys.templates),
        ("moment", keys.moments),
    ):
        if name in names:
            rows = rows.merge(values.rename(columns={"value": name}), on="key", how="inner")
    return rows


def _quantile_of_others(size: Floats) -> Floats:
    """The 0.9 quantile of the other sizes; 0 where there is no other."""
    if len(size) < 2:
        return np.zeros(len(size))
    ordered = np.sort(size)
    place = int(USUAL_QUANTILE * (len(size) - 2))
    rank = np.searchsorted(ordered, size, side="left")
    return np.asarray(ordered[place + (rank <= place)], dtype=np.float64)
