"""Help, wrong commands, completion, and the end of the process."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from jobs import pipeline
from jobs.cli.arguments import span
from jobs.cli.commands.run import STAGE_NAMES
from tests.cli.running import ROOT, on_terminal, parsed, run

COMMANDS = (
    "demo",
    "run",
    "stage",
    "publish",
    "status",
    "events",
    "explain",
    "verdict",
    "verdicts list",
    "unmask",
    "sources",
    "doctor",
    "kibana build",
    "kibana rule",
    "kibana install",
)


SLOW_IMPORTS = {
    "airflow", "deltalake", "elasticsearch", "great_expectations", "networkx", "numpy", "pandas",
    "pyarrow", "pysail", "pyspark", "scipy", "sklearn",
}  # fmt: skip


def test_help_loads_nothing_that_takes_long() -> None:
    answer = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "jobs.cli.app", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {line.rpartition("|")[2].strip() for line in answer.stderr.splitlines()}
    assert "jobs.cli" in loaded
    assert loaded.isdisjoint(SLOW_IMPORTS)
    for command in ("demo", "run", "stage", "events", "explain", "sources", "doctor"):
        assert f"exfilwatch {command}" in answer.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_shows_examples(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, *name.split(), "--help")
    assert code == 0
    assert f"examples:\n    exfilwatch {name}" in out


def test_examples_in_the_help_are_commands(capsys: pytest.CaptureFixture[str]) -> None:
    shown = []
    for name in COMMANDS:
        _, out, _ = run(capsys, *name.split(), "--help")
        shown += re.findall(r"^    exfilwatch (.*)$", out, re.MULTILINE)
    assert len(shown) > len(COMMANDS)
    for line in shown:
        parsed(shlex.split(line.partition(" > ")[0]))


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["runn"],
        ["run"],
        ["run", "--config", "job.yml", "--day", "05.10.2026"],
        ["run", "--config", "job.yml", "--day", "2026-02-30"],
        ["stage", "--config", "job.yml", "--day", "2026-10-05"],
        ["stage", "nothing", "--config", "job.yml", "--day", "2026-10-05"],
        ["events", "--config", "job.yml", "--day", "2026-10-05", "--limit", "-1"],
        ["demo", "--days", "1"],
        ["explain", "--config", "job.yml"],
        ["doctor", "--config", "job.yml", "--identities", "--days", "0"],
        ["doctor", "--config", "job.yml", "--identities", "--day", "2026-10-05", "--days", "2"],
    ],
)
def test_wrong_commands_exit_with_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, *argv)
    assert code == 2
    assert out == ""
    assert "error: " in err


@pytest.mark.parametrize(
    ("dates", "message"),
    [
        (["--start", "2026-10-05", "--end", "2026-10-04"], "is before --start 2026-10-05"),
        (["--start", "2026-10-05"], "belong together"),
        (["--end", "2026-10-05"], "belong together"),
        (["--day", "2026-10-05", "--end", "2026-10-05"], "stands alone"),
    ],
)
def test_invalid_spans_of_days(
    dates: list[str], message: str, job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, "run", "--config", job, *dates)
    assert (code, out) == (2, "")
    assert message in err
    assert not (job.parent / "warehouse").exists()


def test_spans_of_days() -> None:
    five = date(2026, 10, 5)
    assert span(five, None, None) == [five]
    assert span(None, five, five) == [five]
    assert span(None, date(2026, 2, 27), date(2026, 3, 1)) == [
        date(2026, 2, 27),
        date(2026, 2, 28),
        date(2026, 3, 1),
    ]
    assert span(None, None, None) == [datetime.now(UTC).date() - timedelta(days=1)]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["run"], "exfilwatch run: error: Missing option '--config': Job config\n"),
        (["explain", "--config", "x"], "error: Missing argument 'FINDING_ID': event.id, or its"),
        (
            ["run", "--config", "x", "--day", "5.10."],
            "error: Invalid value for '--day': '5.10.' is not a day, YYYY-MM-DD\n",
        ),
        (["demo", "--days", "1"], "'--days': a whole number from 3 on, not '1'\n"),
        (["stage", "x"], "'NAME': 'x' is not one of ingest, check, aggregate, features"),
        (["kibana", "x"], "No such command 'x'; the commands are build, rule, install\n"),
        (
            ["run", "--conf", "x"],
            "No such option: --conf (Possible options: --config, --context)\n",
        ),
        (["x\x1b[2J"], "No such command 'x\\x1b[2J'"),
    ],
)
def test_a_wrong_command_names_the_expected_value(
    argv: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(capsys, *argv)
    assert code == 2
    assert message in err
    assert err.endswith("--help` shows how it is used\n")
    assert "\x1b" not in err


def test_stage_names_are_those_of_the_pipeline() -> None:
    assert tuple(pipeline.STAGES) == STAGE_NAMES


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "--version")
    assert (code, err) == (0, "")
    assert re.fullmatch(r"exfilwatch \S+\n", out)


def test_help_is_framed_on_a_terminal_and_plain_elsewhere(
    capsys: pytest.CaptureFixture[str],
) -> None:
    shown = on_terminal(["-m", "jobs.cli.app", "run", "--help"], TERM="xterm-256color")
    assert "\x1b[" in shown
    assert "╭" in shown
    assert "exfilwatch run" in shown
    uncoloured = on_terminal(
        ["-m", "jobs.cli.app", "run", "--help"], TERM="xterm-256color", NO_COLOR="1"
    )
    assert re.findall(r"\x1b\[[0-9;]*3[0-9]", uncoloured) == []
    _, out, _ = run(capsys, "run", "--help")
    assert out.isascii()
    assert all(character.isprintable() for character in out.replace("\n", ""))


def completions(line: str) -> list[str]:
    """Completions that bash gets at the end of a line."""
    environment = {
        **os.environ,
        "_EXFILWATCH_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(line.split(" ")) - 1),
    }
    command = [sys.executable, "-m", "jobs.cli.app"]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return done.stdout.split()


def test_a_shell_gets_completions() -> None:
    assert completions("exfilwatch s") == ["stage", "status", "sources"]
    assert completions("exfilwatch kibana ") == ["build", "rule", "install"]
    assert completions("exfilwatch stage ") == list(STAGE_NAMES)
    assert completions("exfilwatch sources aws") == ["aws_cloudtrail", "aws_s3_access"]
    assert completions("exfilwatch events --outcome ") == ["success", "failure", "unknown"]
    assert completions("exfilwatch run --st") == ["--start"]


def test_completion_is_installed_for_the_shell(tmp_path: Path) -> None:
    script = f"{sys.executable} -m jobs.cli.app --install-completion; echo code $?"
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=ROOT,
        env={**os.environ, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "code 0" in done.stdout, done.stderr
    assert "exfilwatch" in (tmp_path / ".bashrc").read_text()


ABORT_AT_THE_END = (
    "import atexit, os; atexit.register(os.abort); from jobs.cli.app import main; main()"
)


@pytest.mark.parametrize(
    ("argv", "code", "printed"),
    [
        (["sources"], 0, "aws_cloudtrail"),
        (["--help"], 0, "exit codes:"),
        (["x"], 2, "No such command 'x'; the commands are demo, run"),
    ],
)
def test_a_finished_process_ends_with_its_code(argv: list[str], code: int, printed: str) -> None:
    """Python's clean-up is skipped, because threads of libraries may abort the process in it."""
    done = subprocess.run(
        [sys.executable, "-c", ABORT_AT_THE_END, *argv],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code
    assert printed in done.stdout + done.stderr
