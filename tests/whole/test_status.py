"""``exfilwatch status``: late and changed inputs, stale days, and the command that mends them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from jobs import pipeline
from jobs.cli import app as cli
from jobs.platform.errors import RunError
from schemas.tables.runs import RUNS
from tests.cli.running import stage_of
from tests.worlds.good_job import CONFIG, DAY, NEXT_DAY, run, stage

NOTHING = "exfilwatch: no day is stale\n"


def status(
    capsys: pytest.CaptureFixture[str], job: Path, *options: str
) -> tuple[list[dict[str, Any]], str]:
    """The listed stages and the messages, without the job's folder."""
    capsys.readouterr()
    argv = ["status", "--config", str(job / "job.yml"), "--format", "ndjson", *options]
    assert cli.main(argv) == 0
    out, err = capsys.readouterr()
    return [json.loads(line) for line in out.splitlines()], err.replace(f"{job}/", "")


def problems(rows: list[dict[str, Any]]) -> dict[tuple[str, str], list[str]]:
    """Day and stage → why it is to be run again."""
    return {
        (row["day"], row["stage"]): [each["text"] for each in row["problems"]]
        for row in rows
        if row["problems"]
    }


@pytest.fixture(scope="module")
def settled_once(good: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a job whose two days have been run where it lies."""
    folder = tmp_path_factory.mktemp("settled")
    shutil.copytree(good, folder / "job")
    command = ["run", "--config", str(folder / "job/job.yml")]
    assert cli.main([*command, "--start", str(DAY), "--end", str(NEXT_DAY)]) == 0
    shutil.copytree(folder / "job", folder / "kept")
    return folder


@pytest.fixture
def settled(settled_once: Path) -> Path:
    """That job as it was after its run, in the same place: its runs are known by their paths."""
    shutil.rmtree(settled_once / "job")
    shutil.copytree(settled_once / "kept", settled_once / "job")
    return settled_once / "job"


def test_a_finished_job_is_not_stale(settled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows, said = status(capsys, settled)
    assert [(row["day"], row["stage"]) for row in rows] == [
        (str(day), name) for day in (DAY, NEXT_DAY) for name in pipeline.STAGES
    ]
    assert {row["outcome"] for row in rows} == {"ok"}
    assert rows[0]["rows"] == {"events": 96, "rejects": 0}
    assert (problems(rows), said) == ({}, NOTHING)


def test_a_stage_run_again_makes_its_readers_stale(
    settled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert stage(capsys, settled, "graph") == (0, "")
    rows, said = status(capsys, settled)
    own = ["newer graph_edges of its day", "newer graph_nodes of its day"]
    later = [f"newer graph_{kind} of {DAY}" for kind in ("nodes", "edges")]
    found = problems(rows)
    assert {key: sorted(texts) for key, texts in found.items()} == {
        (str(DAY), "signals"): own,
        (str(DAY), "findings"): own,
        (str(DAY), "publish"): own,
        (str(NEXT_DAY), "publish"): sorted(later),
    }
    assert said.endswith(f"  exfilwatch run --config job.yml --start {DAY} --end {NEXT_DAY}\n")
    only, _ = status(capsys, settled, "--stale", "--day", str(NEXT_DAY))
    assert [row["stage"] for row in only] == ["publish"]
    for day in (DAY, NEXT_DAY):
        assert run(capsys, settled, day) == (0, "")
    assert status(capsys, settled)[1] == NOTHING


def test_other_settings_and_context_files(
    settled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (settled / "job.yml").write_text(CONFIG + "alert_budget: 7\n")
    with (settled / "context/assets.csv").open("a") as handle:
        handle.write("repo-2,repo,,,,,,,github://lab/repo-2\n")
    rows, _ = status(capsys, settled, "--day", str(NEXT_DAY))
    texts = ["another config now", "another context now"]
    assert problems(rows) == {
        # Publish takes the context files of now, for every day.
        (str(NEXT_DAY), name): texts[:1] if name == "publish" else texts
        for name in pipeline.STAGES
    }
    (settled / "job.yml").write_text(CONFIG + "output: elsewhere\nengine: local[2]\n")
    rows, _ = status(capsys, settled, "--day", str(NEXT_DAY))
    assert problems(rows)[str(NEXT_DAY), "ingest"] == ["another context now"]


def test_failed_missing_and_unrecorded_stages(
    settled: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patched:
        stage_of(patched, "signals", RunError("no room\nmore"))
        assert stage(capsys, settled, "signals", NEXT_DAY)[0] == 1
    kept = settled / "kept"
    shutil.copytree(settled / "warehouse" / RUNS.name, kept)
    assert stage(capsys, settled, "aggregate", NEXT_DAY) == (0, "")
    shutil.rmtree(settled / "warehouse" / RUNS.name)
    kept.rename(settled / "warehouse" / RUNS.name)
    rows, _ = status(capsys, settled)
    assert problems(rows) == {
        (str(NEXT_DAY), "aggregate"): ["access was written by a run without a record"],
        (str(NEXT_DAY), "signals"): ["failed: no room"],
    }
    shutil.rmtree(settled / "warehouse" / RUNS.name)
    rows, said = status(capsys, settled, "--day", str(DAY))
    assert problems(rows)[str(DAY), "publish"] == ["not run"]
    assert problems(rows)[str(DAY), "check"] == ["quality was written by a run without a record"]
    assert said.endswith(f"  exfilwatch run --config job.yml --day {DAY}\n")


def test_the_table_ends_with_the_command(settled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert stage(capsys, settled, "publish") == (0, "")
    assert cli.main(["status", "--config", str(settled / "job.yml")]) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 2 + 2 * len(pipeline.STAGES)
    assert err == NOTHING
    assert stage(capsys, settled, "ingest", NEXT_DAY) == (0, "")
    assert cli.main(["status", "--config", str(settled / "job.yml"), "--stale"]) == 0
    out = capsys.readouterr().out
    assert "newer events of its day" in out
    assert out.splitlines()[-2] == "run the stale days again:"
    assert out.splitlines()[-1].endswith(f"job.yml --day {NEXT_DAY}")


def test_a_storage_without_runs(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(job / "warehouse")
    rows, said = status(capsys, job)
    assert (rows, said) == ([], "exfilwatch: no run is recorded in warehouse\n")
    assert not (job / "warehouse").exists()
