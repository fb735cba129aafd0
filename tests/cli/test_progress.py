"""Progress bars: with the time left on a terminal, none elsewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.platform.progress import advance, reported_to
from jobs.trial.lab import make_lab
from tests.cli.running import ROOT, on_terminal

PUBLISH = """
import time
from tests.cli.running import stand_in
from jobs.cli.app import main
from jobs.platform.progress import advance

def send(spark, config, day):
    for _ in range(4):
        advance("documents (findings)", 1, 4)
        time.sleep(0.12)
    return "sent [red]all[/]"

stand_in("publish", send)
main()
"""


def argv(job: Path) -> list[str]:
    span = ["--start", "2026-10-05", "--end", "2026-10-08"]
    return ["-c", PUBLISH, "publish", "--config", str(job), *span]


@pytest.mark.slow
def test_bars_with_the_time_left_on_a_terminal(job: Path) -> None:
    shown = on_terminal(argv(job), TERM="xterm-256color", COLUMNS="120")
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    assert "stages" in plain
    assert "documents (findings)" in plain
    assert re.search(r"2/4 after 0:00:0\d left 0:00:0\d", plain)
    for day in range(5, 9):
        assert re.search(rf"2026-10-0{day}  publish +\d\.\d s  sent \[red\]all\[/\]", plain)


@pytest.mark.slow
def test_without_a_terminal_there_are_only_lines(job: Path) -> None:
    done = subprocess.run(
        [sys.executable, *argv(job)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 4
    assert all(line.startswith("2026-10-0") for line in done.stdout.splitlines())


def test_steps_reach_the_set_report() -> None:
    reported: list[tuple[str, int, int | None]] = []
    advance("nobody hears it", 1)
    with reported_to(lambda *step: reported.append(step)):
        advance("documents", 2, 3)
        advance("documents", 1)
    advance("nobody hears it", 1)
    assert reported == [("documents", 2, 3), ("documents", 1, None)]


def test_the_lab_reports_its_days(tmp_path: Path) -> None:
    reported: list[tuple[str, int, int | None]] = []
    with reported_to(lambda *step: reported.append(step)):
        make_lab(tmp_path / "lab", seed=3, people=4, services=2, days=3)
    assert reported == [("days of the sample lab's logs", 1, 3)] * 3
