"""Sessions of the engine."""

from __future__ import annotations

import os
import time

import pytest

from jobs.platform.engine import engine_session

IDLE = "SAIL_SPARK__SESSION_TIMEOUT_SECS"


@pytest.mark.engine
def test_a_session_on_sail_ends_after_the_idle_time_that_we_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the usual value, days, nobody could wait for it; it shows that the setting is obeyed."""
    monkeypatch.setenv(IDLE, "")
    del os.environ[IDLE]
    monkeypatch.setattr("jobs.platform.engine.IDLE_SECONDS", 1)
    with engine_session("sail") as spark:
        assert spark.range(3).count() == 3
        time.sleep(4)
        with pytest.raises(Exception, match="is not running"):
            spark.range(3).count()
