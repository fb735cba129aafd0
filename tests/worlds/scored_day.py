"""The day that is scored in the everyday world."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.worlds.histories import LAST

DAY = LAST - timedelta(days=3)  # a Thursday


def back(days: int) -> Any:
    """The day ``days`` before the scored day."""
    return DAY - timedelta(days=days)
