"""The bench of a whole lab prints its records, the seconds of each stage, and the peak memory."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.pipeline import STAGES
from jobs.run_days import LAST_AHEAD
from jobs.trial.bench.whole_lab import measured

ROOT = Path(__file__).resolve().parents[2]
HOLD = "import sys, time; held = b'x' * int(sys.argv[1]); time.sleep(1.5); sys.exit(3)"
PARENT = "import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-c', *sys.argv[1:]]))"


@pytest.mark.slow
def test_memory_of_a_command_includes_its_children() -> None:
    codes, peaks = [], []
    for size in ("1", "400000000"):
        code, seconds, peak_gb = measured([sys.executable, "-c", PARENT, HOLD, size])
        assert seconds > 1.5
        codes.append(code)
        peaks.append(peak_gb)
    assert codes == [3, 3]
    assert peaks[1] - peaks[0] == pytest.approx(0.4, abs=0.05)


@pytest.mark.engine
def test_the_bench_of_a_small_lab_prints_every_stage(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "jobs.trial.bench.whole_lab", "--folder", str(tmp_path)]
    size = ["--people", "4", "--services", "2", "--days", "3"]
    ended = subprocess.run([*command, *size], capture_output=True, text=True, check=False, cwd=ROOT)
    assert ended.returncode == 0, ended.stderr
    first, header, *stages, every, last = ended.stdout.splitlines()
    assert re.fullmatch(r"[\d,]+ records in \d+ files: aws_cloudtrail [\d,]+, .*", first)
    assert header.split()[:2] == ["stage", "seconds"]
    seconds = {name: float(value) for name, value in map(str.split, stages)}
    assert list(seconds) == list(STAGES)
    assert all(value > 0 for value in seconds.values())
    # The early stages of a day run beside the later ones of the day before.
    ahead = list(STAGES).index(LAST_AHEAD) + 1
    early, later = list(seconds.values())[:ahead], list(seconds.values())[ahead:]
    rounding = 0.005 * (1 + len(STAGES))
    assert float(every.split()[1]) >= max(sum(early), sum(later)) - rounding
    assert re.fullmatch(r"\d+ seconds from start to report, peak \d\.\d\d GB", last)
    assert list(tmp_path.iterdir()) == []
