"""Detectors of the graph with a part of it taken away, which shows how much that part is worth.

Each ablation ranks the identities of a day by the statistic of one detector, as if it were alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

from jobs.stages.history import HISTORY_READS, read_history, settings_of
from jobs.stages.stage import StageTables
from jobs.trial.rankings import Queue, ranked

if TYPE_CHECKING:
    from models.features.history import History
    from schemas.config import JobConfig


@dataclass(frozen=True)
class Ablation:
    """A detector, and the history that it is asked with."""

    detector: str
    changed: Callable[[History], History]


def _as_it_is(history: History) -> History:
    return history


def _all_alike(history: History) -> History:
    """Every new asset is equally surprising."""
    return replace(history, edges=history.edges.assign(probability=0.01))


def _by_popularity(history: History) -> History:
    """An asset is as surprising as few touched it in the window of the graph, whoever they are."""
    edges = history.edges
    touched = edges.groupby("asset_id")["user_id"].transform("nunique")
    return replace(
        history, edges=edges.assign(probability=touched / (1 + edges["user_id"].nunique()))
    )


def _declared_alone(history: History) -> History:
    """Nobody has peers but those of the declared team."""
    import pandas as pd

    nobody = pd.Series([()] * len(history.nodes), index=history.nodes.index, dtype=object)
    return replace(history, nodes=history.nodes.assign(peers=nobody))


def _learned_alone(history: History) -> History:
    """Nobody has a declared team."""
    context = history.context
    unknown = replace(context, directory=context.directory.assign(team=""))
    return replace(history, context=unknown)


ABLATIONS = {
    "first_access": Ablation("first_access", _as_it_is),
    "first_access, every new asset alike": Ablation("first_access", _all_alike),
    "first_access, by popularity": Ablation("first_access", _by_popularity),
    "burst_peers": Ablation("burst_peers", _as_it_is),
    "burst_peers, declared teams alone": Ablation("burst_peers", _declared_alone),
    "burst_peers, learned peers alone": Ablation("burst_peers", _learned_alone),
}
"""Detectors as they are, each before the same one with less."""


def ablated_queues(config: JobConfig, days: Iterable[date]) -> dict[str, Queue]:
    """Everybody of whom the detector says anything, best first, by ablation and day."""
    import pandas as pd

    from models.detectors import DETECTORS
    from models.detectors.signal import signal_frame

    settings = settings_of(config)
    detectors = {detector.name: detector for detector in DETECTORS}
    scores: dict[str, list[pd.DataFrame]] = {name: [] for name in ABLATIONS}
    for day in days:
        tables = StageTables("ablations", HISTORY_READS, (), day, config.storage, None)
        history = read_history(tables, config)
        for name, ablation in ABLATIONS.items():
            detector = detectors[ablation.detector]
            signals = detector.score(ablation.changed(history), settings[detector.name])
            rows = signal_frame(signals).groupby("entity", as_index=False)["statistic"].max()
            rows = rows[rows["statistic"] > 0]
            rows = rows.rename(columns={"entity": "user_id", "statistic": "score"})
            scores[name].append(rows.assign(day=day))
    return {name: ranked(pd.concat(frames)) if frames else {} for name, frames in scores.items()}
