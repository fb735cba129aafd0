"""How likely a user is to touch an asset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from models.graph.factors import expected_counts, factorise
from models.graph.window import Codes, Floats, Window, codes_of

if TYPE_CHECKING:
    from schemas.config import Graph
    from schemas.context import Context

ROOT_RATE = 1e-3
"""Touches per pair and day where nothing at all is known."""
PSEUDO_TOUCHES = 1.0
"""Touches that a back-off counts for; higher trusts groups more and the single user less."""
FACTORS_SHARE = 0.65
"""Share of the factorisation in a pair's mean rate, the rest is that of the declared groups; raise
it where directory and owners are poor."""
PROBABILITY_FLOOR = 1e-9
"""No probability lies nearer to 0 or 1."""


def link_probabilities(
    window: Window, teams: list[str], context: Context, settings: Graph
) -> Floats:
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
    mean = _declared_rates(window, days, teams, context)
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


def _declared_rates(window: Window, days: Floats, teams: list[str], context: Context) -> Floats:
    """Touches per day that declared groups let expect of each pair; ``days``: its days so far.

    Users are grouped by kind and team, assets by owner team and kind (by URI scheme if not listed).
    Rates between groups are shrunk from coarse to fine: all, kind × group, team × group, then
    kind × asset (popularity), team × asset (do team-mates touch it) and user × group (does the
    user touch such assets). A pair has rate team × group, times the asset's ratio within its group
    and the user's ratio within the team. The Poisson block model with degree correction, with
    declared instead of found blocks: Karrer & Newman 2011, "Stochastic blockmodels and community
    structure in networks". Users and assets not seen before have no exposure and so ratio 1.
    """
    user, asset = window.pairs["user"].to_numpy(), window.pairs["asset"].to_numpy()
    of_kind = codes_of(list(window.kinds))
    of_team = codes_of(list(zip(window.kinds, teams, strict=True)))
    of_group = codes_of(_asset_groups(window.assets, context))
    users, assets = np.arange(len(window.users)), np.arange(len(window.assets))
    everybody, everything = np.zeros_like(users), np.zeros_like(assets)

    def rates(rows: Codes, columns: Codes, mean: Any) -> Floats:
        """Of each pair: the rate of the user's group in ``rows``, the asset's in ``columns``."""
        row, column = rows[user], columns[asset]
        exposure = (
            np.bincount(rows, window.user_share)[row]
            * np.bincount(columns, window.asset_share)[column]
        )
        touches = _sum_alike(row * (columns.max() + 1) + column, days)
        return np.asarray(_shrink(touches, window.observed_days * exposure, mean))

    overall = rates(everybody, everything, ROOT_RATE)
    kind_group = rates(of_kind, of_group, overall)
    team_group = rates(of_team, of_group, kind_group)
    popularity = rates(of_kind, assets, kind_group) / kind_group
    team_asset = rates(of_team, assets, team_group * popularity)
    user_group = rates(users, of_group, team_group)
    return np.asarray(team_asset * user_group / team_group)


def _sum_alike(keys: Codes, values: Floats) -> Floats:
    """Sum of the ``values`` with the same key, at each of them."""
    _, places = np.unique(keys, return_inverse=True)
    return np.asarray(np.bincount(places, values)[places])


def _asset_groups(assets: NDArray[Any], context: Context) -> list[tuple[str, str]]:
    """Owner team and kind of each asset; nobody and the URI scheme of those not listed."""
    listed = context.assets.drop_duplicates("asset_id")
    declared = {
        asset: (owner or "", kind or "")
        for asset, owner, kind in zip(
            listed["asset_id"], listed["owner_team"], listed["kind"], strict=True
        )
    }
    return [declared.get(asset, ("", asset.partition("://")[0] + "://")) for asset in assets]


def _factor_counts(window: Window, counts: sparse.csr_matrix, settings: Graph) -> Floats:
    """Active days that a factorisation expects of each pair in the whole exposure, ≥ 0.

    See :func:`factorise`. Users and assets not seen before the day are left out (0).
    """
    seen_users, seen_assets = window.user_share > 0, window.asset_share > 0
    known = counts[seen_users][:, seen_assets]
    expected = np.zeros(len(window.pairs))
    if known.nnz == 0:
        return expected
    rows, columns = factorise(known, min(settings.factors, *known.shape), settings.seed)
    user, asset = window.pairs["user"].to_numpy(), window.pairs["asset"].to_numpy()
    both = seen_users[user] & seen_assets[asset]
    user_rows = (np.cumsum(seen_users) - 1)[user[both]]
    asset_rows = (np.cumsum(seen_assets) - 1)[asset[both]]
    expected[both] = expected_counts(rows, columns, user_rows, asset_rows)
    return expected
