"""The user–asset graph of one day: communities, learned peers, edge probabilities, places to draw.

What makes an edge: in the trailing window a user had at least one event on the asset that did not
fail, of whatever action class. Failures alone make none, because a door that stayed shut says
nothing about whose work lies behind it (the detectors read failures from ``access`` itself).

Invariants:

* Users and assets are separate namespaces: the same text may name one of each.
* ``probability`` comes from the days before the day alone. Nobody's conduct on the day moves it, so
  a thief can't make his own theft likely, nor a crowd on the day make it look usual. Hence users
  and assets first seen on the day stay out of the factorisation, and weigh nothing in any mean.
* Likeness of users (peers, communities) is that of the days before the day too, save for users who
  have no earlier day: what somebody reads today must not choose whom he is compared with today.
* Everything is sorted before it is computed and seeded where it is random; the order of the input
  rows does not matter. Louvain runs on whole numbers, whose sets iterate alike in every process
  (sets of text don't).
"""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import networkx as nx
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from schemas.tables import GRAPH_EDGES, GRAPH_NODES

if TYPE_CHECKING:
    from schemas.config import Graph
    from schemas.context import Context

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

ACCESS_COLUMNS = ("day", "user_id", "user_kind", "asset_id", "events", "failures")
"""Columns of ACCESS that make the graph."""
EVENTS_SHARE = 0.25
"""Weight of ten times the events, where doubling the active days weighs about 1."""
TEAM_SHARE = 0.2
"""Share of the declared team in the likeness of two users; the rest is what they touch."""
NEIGHBOURS = 20
"""Nearest users that make the projection; all pairs would be millions of weak ties."""
ROOT_RATE = 1e-3
"""Touches per pair and day where nothing at all is known."""
PSEUDO_TOUCHES = 1.0
"""Touches that a back-off counts for; higher trusts groups more and the single user less."""
FACTORS_SHARE = 0.65
"""Share of the factorisation in a pair's mean rate, the rest is that of the declared groups; raise
it where directory and owners are poor."""
FACTOR_STEPS = 200
"""Most steps of the factorisation."""
PROBABILITY_FLOOR = 1e-9
"""No probability lies nearer to 0 or 1."""
LAYOUT_STEPS = 40
"""Steps of the layout; more change little."""
LIKENESS_ROWS = 1000
"""Users compared with all others at once; bounds the memory."""


@dataclass(frozen=True)
class _Window:
    """The window in codes: ``users`` and ``assets`` are sorted ids, frames hold their positions.

    ``pairs``: one row per user and asset, sorted: user, asset, days, events, before_days,
    before_events (without the day), today. ``kinds``: user_kind of each user. ``observed_days``:
    days before the day with any touch at all. ``user_share``, ``asset_share``: part of those days
    since the user's or asset's first one, 0 (not seen before the day) to 1.
    """

    users: NDArray[Any]
    assets: NDArray[Any]
    pairs: pd.DataFrame
    kinds: NDArray[Any]
    observed_days: int
    user_share: Floats
    asset_share: Floats

    def matrix(self, values: NDArray[Any]) -> sparse.csr_matrix:
        """``values`` of the pairs as users × assets; zeros are left out."""
        user, asset = self.pairs["user"].to_numpy(), self.pairs["asset"].to_numpy()
        kept = values != 0
        return sparse.csr_matrix(
            (values[kept].astype(np.float64), (user[kept], asset[kept])),
            shape=(len(self.users), len(self.assets)),
        )


def build_graph(
    access: pd.DataFrame, context: Context, day: date, settings: Graph
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Frames with the columns of GRAPH_NODES and GRAPH_EDGES, sorted by their keys.

    ``access``: rows of ACCESS, of which ACCESS_COLUMNS are used; those outside the
    ``settings.window_days`` days that end with ``day`` (the day included) are ignored. Without a
    touch in the window both frames are empty.

    ``weight`` of an edge is log2(1 + active days) + log10(events) / 4: one event on one day weighs
    1, a month of daily work about 5, and a job's millions of reads no more than a few days.
    ``strength`` is the sum of a node's weights. For the rest see :func:`_communities`,
    :func:`_peers`, :func:`_probabilities` and :func:`_places`.

    Fails to say anything useful on the first day of a warehouse: every edge is new, and all
    probabilities are ROOT_RATE's.
    """
    window = _read_window(access, context, day, settings.window_days)
    if window is None:
        return (
            pd.DataFrame(columns=GRAPH_NODES.column_names),
            pd.DataFrame(columns=GRAPH_EDGES.column_names),
        )
    pairs = window.pairs
    weights = _damp(pairs["days"].to_numpy(), pairs["events"].to_numpy())
    teams = _teams(window.users, context)
    profiles = _profiles(window, weights)
    communities = _communities(window, weights, profiles, settings.seed)
    places = _places(window, weights, communities, settings.seed)
    edges = pd.DataFrame(
        {
            "day": day,
            "user_id": window.users[pairs["user"]],
            "asset_id": window.assets[pairs["asset"]],
            "weight": weights.round(6),
            "active_days": pairs["days"],
            "today": pairs["today"],
            "is_new": pairs["before_days"] == 0,
            "probability": _probabilities(window, teams, context, settings),
        }
    )
    asset_kinds = context.assets.drop_duplicates("asset_id").set_index("asset_id")["kind"]
    n_users, n_assets = len(window.users), len(window.assets)
    kinds = [*window.kinds, *(asset_kinds.get(asset) or None for asset in window.assets)]
    graph = bipartite_graph(edges)
    keys = [("user", user) for user in window.users] + [("asset", a) for a in window.assets]
    nodes = pd.DataFrame(
        {
            "day": day,
            "node_id": [node_id for _, node_id in keys],
            "node_type": [node_type for node_type, _ in keys],
            "kind": kinds,
            "community": communities,
            "degree": [graph.degree(key) for key in keys],
            "strength": [round(graph.degree(key, weight="weight"), 6) for key in keys],
            "peers": [
                *_peers(window, profiles, teams, settings.peers),
                *([] for _ in range(n_assets)),
            ],
            "x": places[:, 0],
            "y": places[:, 1],
        },
        index=range(n_users + n_assets),
    )
    nodes = nodes.sort_values(["node_type", "node_id"], ignore_index=True)
    return nodes[GRAPH_NODES.column_names], edges[GRAPH_EDGES.column_names]


def bipartite_graph(edges: pd.DataFrame) -> nx.Graph:
    """Rows of GRAPH_EDGES as a NetworkX graph: nodes ("user", id) and ("asset", id), ``weight``."""
    graph = nx.Graph()
    users = [("user", user) for user in edges["user_id"]]
    assets = [("asset", asset) for asset in edges["asset_id"]]
    graph.add_nodes_from(users, bipartite=0)
    graph.add_nodes_from(assets, bipartite=1)
    graph.add_weighted_edges_from(zip(users, assets, edges["weight"], strict=True))
    return graph


def peer_groups(nodes: pd.DataFrame) -> dict[str, list[str]]:
    """From user_id to peers, nearest first, of rows of GRAPH_NODES (also as read from a table)."""
    users = nodes[nodes["node_type"] == "user"]
    return {
        user: [str(peer) for peer in peers]
        for user, peers in zip(users["node_id"], users["peers"], strict=True)
    }


def _read_window(
    access: pd.DataFrame, context: Context, day: date, window_days: int
) -> _Window | None:
    """The window's touches in codes; None if there is none."""
    last = pd.Timestamp(day)
    first = last - timedelta(days=window_days - 1)
    touches = pd.DataFrame(
        {
            "day": pd.to_datetime(access["day"]),
            "user_id": access["user_id"],
            "asset_id": access["asset_id"],
            "user_kind": access["user_kind"],
            "events": access["events"] - access["failures"],
        }
    )
    touches = touches[touches["day"].between(first, last) & (touches["events"] > 0)]
    if touches.empty:
        return None
    users, assets = np.sort(touches["user_id"].unique()), np.sort(touches["asset_id"].unique())
    touches["user"] = np.searchsorted(users, touches["user_id"].to_numpy())
    touches["asset"] = np.searchsorted(assets, touches["asset_id"].to_numpy())
    daily = touches.groupby(["user", "asset", "day"], as_index=False)["events"].sum()
    daily["today"] = daily["day"] == last
    daily["before_days"] = (~daily["today"]).astype(np.int64)
    daily["before_events"] = daily["events"] * daily["before_days"]
    pairs = daily.groupby(["user", "asset"]).agg(
        days=("day", "size"),
        events=("events", "sum"),
        before_days=("before_days", "sum"),
        before_events=("before_events", "sum"),
        today=("today", "any"),
    )
    before = daily[~daily["today"]]
    observed = np.sort(before["day"].unique())
    return _Window(
        users=users,
        assets=assets,
        pairs=pd.DataFrame(pairs).reset_index(),
        kinds=_user_kinds(touches, users, context, last),
        observed_days=len(observed),
        user_share=_seen_share(before, "user", len(users), observed),
        asset_share=_seen_share(before, "asset", len(assets), observed),
    )


def _user_kinds(
    touches: pd.DataFrame, users: NDArray[Any], context: Context, last: pd.Timestamp
) -> NDArray[Any]:
    """Kind of each user: the directory's, else that of the last day before the day, else today's.

    The day's own rows come last because a kind decides on the means of others.
    """
    told = touches.assign(before=touches["day"] < last).sort_values(["before", "day", "user_kind"])
    logged = told.groupby("user")["user_kind"].last().reindex(range(len(users)))
    declared = context.directory.drop_duplicates("user_id").set_index("user_id")["kind"]
    return np.array(
        [declared.get(user) or kind for user, kind in zip(users, logged, strict=True)], dtype=object
    )


def _seen_share(before: pd.DataFrame, side: str, size: int, observed: NDArray[Any]) -> Floats:
    """Part of the observed days on which each user or asset was there; 0: not seen.

    They came before their first touch: with k active days in the d days since then, about d / k
    days before, which is the estimate of a range by its maximum (the "German tank problem").
    Counting from the first touch alone would make whatever was touched once look frequent.
    """
    shares = np.zeros(size)
    if len(observed) == 0:
        return shares
    days = before.groupby(side)["day"].agg(["min", "nunique"])
    since = 1 - np.searchsorted(observed, days["min"].to_numpy()) / len(observed)
    shares[days.index.to_numpy()] = np.minimum(since * (1 + 1 / days["nunique"].to_numpy()), 1)
    return shares


def _damp(days: NDArray[Any], events: NDArray[Any]) -> Floats:
    """Weight of a pair, 0 without a touch."""
    damped = np.log2(1.0 + days) + EVENTS_SHARE * np.log10(np.maximum(events, 1))
    return np.asarray(damped, dtype=np.float64)


def _teams(users: NDArray[Any], context: Context) -> list[str]:
    """Declared team of each user; empty where not declared."""
    declared = context.directory.drop_duplicates("user_id").set_index("user_id")["team"]
    return [declared.get(user) or "" for user in users]


def _profiles(window: _Window, weights: Floats) -> sparse.csr_matrix:
    """What each user usually touches: users × assets, rows of length 1 (or all zero).

    Weights of the days before the day (of the day itself for users without an earlier one), times
    log((1 + users) / users of the asset), so that what everybody touches makes nobody alike:
    tf-idf, Salton & Buckley 1988, "Term-weighting approaches in automatic text retrieval".
    """
    pairs = window.pairs
    seen = window.user_share[pairs["user"].to_numpy()] > 0
    earlier = _damp(pairs["before_days"].to_numpy(), pairs["before_events"].to_numpy())
    profiles = window.matrix(np.where(seen, earlier, weights))
    users_of_asset = np.bincount(profiles.indices, minlength=len(window.assets))
    rarity = np.log((1 + len(window.users)) / np.maximum(users_of_asset, 1))
    profiles = sparse.csr_matrix(profiles @ sparse.diags(rarity))
    lengths = np.sqrt(np.asarray(profiles.multiply(profiles).sum(axis=1)).ravel())
    return sparse.csr_matrix(sparse.diags(1 / np.where(lengths > 0, lengths, 1)) @ profiles)


def _nearest(
    profiles: sparse.csr_matrix, teams: list[str], team_share: float, count: int
) -> list[list[tuple[int, float]]]:
    """For each row its nearest other rows with their likeness in (0, 1], most alike first.

    Likeness is (1 - team_share) × cosine, plus team_share where both declare the same team; ties
    go to the smaller row. Time and memory grow with the square of the rows (2,000: a second).
    """
    _, codes = np.unique(np.array(teams, dtype=object), return_inverse=True)
    declared = np.array([team != "" for team in teams])
    nearest: list[list[tuple[int, float]]] = []
    for start in range(0, profiles.shape[0], LIKENESS_ROWS):
        block = slice(start, start + LIKENESS_ROWS)
        likeness = (1 - team_share) * (profiles[block] @ profiles.T).toarray()
        same_team = (codes[block, None] == codes[None, :]) & declared[block, None]
        # Rounded so that equal likeness is equal whatever the order of summation.
        likeness = (likeness + team_share * same_team).round(9)
        rows = np.arange(likeness.shape[0])
        likeness[rows, rows + start] = 0.0
        order = np.argsort(-likeness, axis=1, kind="stable")[:, :count]
        for row, others in zip(likeness, order, strict=True):
            nearest.append([(int(other), float(row[other])) for other in others if row[other] > 0])
    return nearest


def _peers(
    window: _Window, profiles: sparse.csr_matrix, teams: list[str], count: int
) -> list[list[str]]:
    """Learned peers of each user: at most ``count`` users of the same kind, nearest first.

    Nearest by cosine of profiles, with the declared team as a mild prior (:func:`_nearest`); users
    with nothing in common are no peers. Fails for users who touch one or two popular assets: all
    such users look alike, and ids decide.
    """
    peers: list[list[str]] = [[] for _ in window.users]
    for kind in np.unique(window.kinds):
        members = np.flatnonzero(window.kinds == kind)
        nearest = _nearest(profiles[members], [teams[m] for m in members], TEAM_SHARE, count)
        for member, others in zip(members, nearest, strict=True):
            peers[member] = [str(window.users[members[other]]) for other, _ in others]
    return peers


def _communities(window: _Window, weights: Floats, profiles: sparse.csr_matrix, seed: int) -> Codes:
    """Community number of each user, then of each asset; 0 has most nodes, ties: smallest user_id.

    Louvain (Blondel et al. 2008, "Fast unfolding of communities in large networks") on the
    projection that ties each user to the NEIGHBOURS most alike ones, weighted by cosine; an asset
    joins the community that holds most of its weight. Fails below its resolution limit (Fortunato
    & Barthélemy 2007): small groups in a large graph are merged; numbers are of the day only.
    """
    projection = nx.Graph()
    projection.add_nodes_from(range(len(window.users)))
    no_teams = [""] * len(window.users)
    for user, others in enumerate(_nearest(profiles, no_teams, 0.0, NEIGHBOURS)):
        for other, likeness in others:
            projection.add_edge(user, other, weight=likeness)
    found = nx.community.louvain_communities(projection, weight="weight", seed=seed)
    groups = sorted(sorted(group) for group in found)
    of_user = np.zeros(len(window.users), dtype=np.int64)
    for number, group in enumerate(groups):
        of_user[group] = number
    held = window.matrix(weights).T @ _indicator(of_user, len(groups)).T
    of_asset = np.asarray(held.toarray().round(9).argmax(axis=1), dtype=np.int64)
    sizes = np.bincount(np.concatenate([of_user, of_asset]), minlength=len(groups))
    numbers = np.empty(len(groups), dtype=np.int64)
    numbers[np.argsort(-sizes, kind="stable")] = np.arange(len(groups))
    return np.concatenate([numbers[of_user], numbers[of_asset]])


def _indicator(codes: Codes, size: int) -> sparse.csr_matrix:
    """Groups × members, 1 where the member is of the group."""
    ones = np.ones(len(codes))
    return sparse.csr_matrix((ones, (codes, np.arange(len(codes)))), shape=(size, len(codes)))


def _probabilities(window: _Window, teams: list[str], context: Context, settings: Graph) -> Floats:
    """Probability of each pair that the user touches the asset on a day, in (0, 1).

    Lower is riskier for a pair that was touched. From the days before the day alone:

    1. The mean rate of a pair mixes that of the declared groups (:func:`_declared_rates`) with that
       of a factorisation of the active-day counts (:func:`_factor_counts`) by FACTORS_SHARE; the
       declared groups stand alone if user or asset was not seen before.
    2. The pair's own record is shrunk towards that mean (:func:`_shrink`). A day with a touch
       counts as half a day of waiting, as the rest of that day is not waited for (the actuarial
       estimate of life tables; Cutler & Ederer 1958), so that daily work comes near 1.
    3. probability = 1 - exp(-rate).

    Ranks better than it counts: for pairs already known it is calibrated where the pairs of a group
    differ as the prior assumes (a Gamma of shape PSEUDO_TOUCHES), but too high by a fifth (two
    thirds with a window of a week) where they are all alike, and a tenth too low where few pairs
    make all the touches; figures of simulations.

    Fails where habits have a weekly beat (weekends are rated like working days), where a user's
    work changes within the window, and for users seen for the first time: their team must stand
    for them, and without a directory only their kind.
    """
    user, asset = window.pairs["user"].to_numpy(), window.pairs["asset"].to_numpy()
    days = window.pairs["before_days"].to_numpy().astype(np.float64)
    exposure = window.observed_days * np.minimum(window.user_share[user], window.asset_share[asset])
    counts = window.matrix(days)
    mean = _declared_rates(window, counts, teams, context)
    known = exposure > 0
    factors = _factor_counts(window, counts, settings)[known] / exposure[known]
    mean[known] += FACTORS_SHARE * (factors - mean[known])
    rate = _shrink(days, exposure - days / 2, mean)
    floor = PROBABILITY_FLOOR
    return np.asarray(np.clip(-np.expm1(-rate), floor, 1 - floor).round(12), dtype=np.float64)


def _shrink(touches: Any, exposure: Any, mean: Any) -> Any:
    """Rate per day: posterior mean of a Poisson rate whose Gamma prior has ``mean``.

    The prior weighs PSEUDO_TOUCHES touches (its shape), whatever the scale of the rate: without
    exposure the answer is ``mean``, and many expected but missing touches bring it down.
    """
    return (touches + PSEUDO_TOUCHES) / (exposure + PSEUDO_TOUCHES / mean)


def _declared_rates(
    window: _Window, counts: sparse.csr_matrix, teams: list[str], context: Context
) -> Floats:
    """Touches per day that declared groups let expect of each pair.

    Users are grouped by kind and team, assets by owner team and kind (by URI scheme if not listed).
    Rates between groups are shrunk from coarse to fine: all, kind × group, team × group, then
    kind × asset (popularity), team × asset (do team-mates touch it) and user × group (does the
    user touch such assets). A pair has rate team × group, times the asset's ratio within its group
    and the user's ratio within the team. The Poisson block model with degree correction, with
    declared instead of found blocks: Karrer & Newman 2011, "Stochastic blockmodels and community
    structure in networks". Users and assets not seen before have no exposure and so ratio 1.
    """
    user, asset = window.pairs["user"].to_numpy(), window.pairs["asset"].to_numpy()
    of_team, team_kinds = _codes(list(zip(window.kinds, teams, strict=True)))
    kind_of_team, kinds = _codes([kind for kind, _ in team_kinds])
    of_group, groups = _codes(_asset_groups(window.assets, context))
    in_team = _indicator(of_team, len(team_kinds))
    in_kind = _indicator(kind_of_team[of_team], len(kinds))
    in_group = _indicator(of_group, len(groups)).T.tocsr()
    each_user = sparse.identity(len(window.users), format="csr")
    each_asset = sparse.identity(len(window.assets), format="csr")

    def rates(rows: sparse.csr_matrix, columns: sparse.csr_matrix, mean: Any) -> Floats:
        touches = (rows @ counts @ columns).toarray()
        exposure = np.outer(rows @ window.user_share, window.asset_share @ columns)
        return np.asarray(_shrink(touches, window.observed_days * exposure, mean))

    all_users = sparse.csr_matrix(np.ones((1, len(window.users))))
    all_assets = sparse.csr_matrix(np.ones((len(window.assets), 1)))
    overall = rates(all_users, all_assets, ROOT_RATE)
    kind_group = rates(in_kind, in_group, overall)
    team_group = rates(in_team, in_group, kind_group[kind_of_team])
    kind_asset = rates(in_kind, each_asset, kind_group[:, of_group])
    popularity = kind_asset / kind_group[:, of_group]
    team_asset = rates(in_team, each_asset, team_group[:, of_group] * popularity[kind_of_team])
    user_group = rates(each_user, in_group, team_group[of_team])
    team, group = of_team[user], of_group[asset]
    return np.asarray(team_asset[team, asset] * user_group[user, group] / team_group[team, group])


def _codes(values: list[Any]) -> tuple[Codes, list[Any]]:
    """Position of each value in the sorted distinct values, and those."""
    distinct = sorted(set(values))
    place = {value: number for number, value in enumerate(distinct)}
    return np.array([place[value] for value in values], dtype=np.int64), distinct


def _asset_groups(assets: NDArray[Any], context: Context) -> list[tuple[str, str]]:
    """Owner team and kind of each asset; nobody and the URI scheme of those not listed."""
    listed = context.assets.drop_duplicates("asset_id").set_index("asset_id")
    declared = {
        asset: (owner or "", kind or "")
        for asset, owner, kind in zip(
            listed.index, listed["owner_team"], listed["kind"], strict=True
        )
    }
    return [declared.get(asset, ("", asset.partition("://")[0] + "://")) for asset in assets]


def _factor_counts(window: _Window, counts: sparse.csr_matrix, settings: Graph) -> Floats:
    """Active days that a factorisation expects of each pair in the whole exposure, ≥ 0.

    Non-negative matrix factorisation with Kullback–Leibler loss (Lee & Seung 2001, "Algorithms for
    non-negative matrix factorization"), which is the maximum likelihood of Poisson factorisation
    (Cemgil 2009; used on access logs by Turcotte et al. 2016, "Poisson factorization for
    peer-based anomaly detection"). Users and assets not seen before the day are left out (0).
    """
    from sklearn.decomposition import NMF
    from sklearn.exceptions import ConvergenceWarning

    seen_users, seen_assets = window.user_share > 0, window.asset_share > 0
    known = counts[seen_users][:, seen_assets]
    expected = np.zeros(len(window.pairs))
    if known.nnz == 0:
        return expected
    model = NMF(
        n_components=min(settings.factors, *known.shape),
        init="nndsvda",
        solver="mu",
        beta_loss="kullback-leibler",
        max_iter=FACTOR_STEPS,
        random_state=settings.seed,
    )
    with warnings.catch_warnings(), np.errstate(invalid="ignore"):
        # The last steps move the rates by less than they are worth, and where the first step fits
        # a tiny window exactly, the relative gain that is asked for is 0 / 0.
        warnings.simplefilter("ignore", ConvergenceWarning)
        user_factors = model.fit_transform(known)
    user, asset = window.pairs["user"].to_numpy(), window.pairs["asset"].to_numpy()
    both = seen_users[user] & seen_assets[asset]
    user_rows = (np.cumsum(seen_users) - 1)[user[both]]
    asset_rows = (np.cumsum(seen_assets) - 1)[asset[both]]
    factors = user_factors[user_rows], model.components_.T[asset_rows]
    expected[both] = np.einsum("ij,ij->i", *factors)
    return expected


def _places(window: _Window, weights: Floats, communities: Codes, seed: int) -> Floats:
    """Places of users, then assets, shape (nodes, 2), in [-1, 1].

    Communities are laid out as discs, then nodes within them; each time by springs along the edges
    and a push between the nearest (Fruchterman & Reingold 1991 with repulsion of neighbours only,
    which stays near-linear). Nodes start from a hash of their id, communities from the mean of
    their members, so a place changes little from day to day while the communities do. Fails to
    untangle one dense community: inside it places mean little.
    """
    n_users, n_nodes = len(window.users), len(communities)
    user = window.pairs["user"].to_numpy()
    asset = n_users + window.pairs["asset"].to_numpy()
    labels = [f"{seed}/user/{name}" for name in window.users]
    hashed = _hash_points(labels + [f"{seed}/asset/{name}" for name in window.assets])
    sizes = np.bincount(communities).astype(np.float64)
    radii = np.sqrt(sizes)
    members = _indicator(communities, len(sizes))
    outside = communities[user] != communities[asset]
    ties = _springs(
        communities[user][outside], communities[asset][outside], weights[outside], len(sizes)
    )
    spread = radii.sum()
    centres = _relax((members @ hashed) / sizes[:, None] * spread, ties, radii, 0.05)
    start = centres[communities] + hashed * radii[communities][:, None]
    # What everybody touches would draw everybody to the middle.
    popularity = np.bincount(asset)[asset]
    springs = _springs(user, asset, weights / popularity, n_nodes)
    places = _relax(start, springs, np.full(n_nodes, 0.5), 0.2)
    places -= (places.max(axis=0) + places.min(axis=0)) / 2
    return np.asarray((places / np.abs(places).max()).round(4) + 0.0, dtype=np.float64)


def _hash_points(labels: list[str]) -> Floats:
    """A fixed point of the unit disc for each label."""
    digests = b"".join(hashlib.blake2b(text.encode(), digest_size=8).digest() for text in labels)
    uniform = np.frombuffer(digests, dtype="<u4").reshape(-1, 2) / 2.0**32
    angles = 2 * np.pi * uniform[:, 0]
    radius = np.sqrt(uniform[:, 1])
    return np.column_stack([radius * np.cos(angles), radius * np.sin(angles)])


def _springs(left: Codes, right: Codes, weights: Floats, size: int) -> sparse.csr_matrix:
    """Symmetric size × size matrix whose rows sum to 1, or to 0 for what has no spring."""
    both = np.concatenate([left, right]), np.concatenate([right, left])
    springs = sparse.csr_matrix((np.concatenate([weights, weights]), both), shape=(size, size))
    sums = np.asarray(springs.sum(axis=1)).ravel()
    return sparse.csr_matrix(sparse.diags(1 / np.where(sums > 0, sums, 1)) @ springs)


def _relax(start: Floats, springs: sparse.csr_matrix, radii: Floats, pull: float) -> Floats:
    """Places after LAYOUT_STEPS of springs and pushes; discs of ``radii`` end hardly overlapping.

    Each step moves a node towards the mean of its neighbours by ``pull``, cooling to 0 at the end,
    back towards its start by half of that, and away from each disc it overlaps.
    """
    from scipy.spatial import cKDTree

    places = start.copy()
    near = min(len(places), 16)
    if near < 2:
        return places
    tied = np.asarray(springs.sum(axis=1)).ravel()[:, None]
    for step in range(LAYOUT_STEPS):
        heat = pull * (1 - step / LAYOUT_STEPS)
        places = places + heat * (springs @ places - tied * places) + heat / 2 * (start - places)
        distances, others = cKDTree(places).query(places, k=near)
        overlap = np.maximum(radii[:, None] + radii[others] - distances, 0.0)
        overlap[distances == 0] = 0.0
        away = (places[:, None, :] - places[others]) / np.maximum(distances, 1e-9)[:, :, None]
        places = places + 0.25 * (away * overlap[:, :, None]).sum(axis=1)
    return places
