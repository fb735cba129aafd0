"""How likely a user is to touch an asset."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from models.graph.communities import indicator
from models.graph.window import Floats, Window, codes_of

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
FACTOR_STEPS = 200
"""Most steps of the factorisation."""
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
    window: Window, counts: sparse.csr_matrix, teams: list[str], context: Context
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
    of_team, team_kinds = codes_of(list(zip(window.kinds, teams, strict=True)))
    kind_of_team, kinds = codes_of([kind for kind, _ in team_kinds])
    of_group, groups = codes_of(_asset_groups(window.assets, context))
    in_team = indicator(of_team, len(team_kinds))
    in_kind = indicator(kind_of_team[of_team], len(kinds))
    in_group = indicator(of_group, len(groups)).T.tocsr()
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


def _factor_counts(window: Window, counts: sparse.csr_matrix, settings: Graph) -> Floats:
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
