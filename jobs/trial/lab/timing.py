"""Times of the actions of a case or a working day."""

from __future__ import annotations

import numpy as np

from jobs.trial.lab.world import DAY, Lab


def spread(rng: np.random.Generator, count: int, start: float, seconds: float) -> list[float]:
    """Ordered times of `count` actions in a span, in uneven bursts."""
    gaps = rng.gamma(0.7, 1.0, count + 1)
    return (start + seconds * np.cumsum(gaps)[:-1] / gaps.sum()).tolist() if count else []


def local_start(lab: Lab, day: int, hour: float, offset: float, seconds: float = 0.0) -> float:
    """Epoch of a local hour so that it falls in UTC day `day` and the span stays in the window."""
    t = lab.t0 + day * DAY + ((hour - offset) * 3600) % DAY
    return min(t, lab.t0 + lab.days * DAY - seconds - 60)
