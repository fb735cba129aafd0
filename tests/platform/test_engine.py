"""Sessions of the engine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jobs.platform.engine import engine_session
from jobs.platform.sail_server import sail_server

IDLE = "SAIL_SPARK__SESSION_TIMEOUT_SECS"
SERVE_AND_WAIT = """
import os, sys, time
from jobs.platform.sail_server import sail_server
with sail_server():
    print(open(f"/proc/self/task/{os.getpid()}/children").read(), flush=True)
    time.sleep(60)
"""


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


@pytest.mark.engine
@pytest.mark.skipif(sys.platform != "linux", reason="no /proc")
def test_sails_process_ends_with_a_parent_that_is_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SERVE_AND_WAIT], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        server = int(parent.stdout.readline())
        assert Path(f"/proc/{server}").exists()
        parent.send_signal(signal.SIGKILL)
    for _ in range(100):
        if not Path(f"/proc/{server}").exists():
            return
        time.sleep(0.1)
    os.kill(server, signal.SIGKILL)
    pytest.fail("Sail's process is still there ten seconds after its parent")


def test_a_server_that_does_not_start_is_no_silent_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.platform.sail_server.__name__", "jobs.platform.no_such_module")
    with pytest.raises(RuntimeError, match="ended before it served"), sail_server():
        pass
