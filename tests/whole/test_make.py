"""The targets of the Makefile: checks before a commit, quick tests, markers."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import MARKERS

ROOT = Path(__file__).resolve().parents[2]


def makefile() -> str:
    """The Makefile with its variables for the environment replaced by their values."""
    return (ROOT / "Makefile").read_text().replace("$(BIN)", ".venv/bin")


def recipe(target: str) -> list[str]:
    """The commands of a target."""
    found = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", makefile(), re.MULTILINE)
    assert found is not None, f"the Makefile has no target {target}"
    return [line.strip() for line in found[1].splitlines()]


def pytest_settings() -> dict[str, Any]:
    """The settings of pytest."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    settings: dict[str, Any] = project["tool"]["pytest"]["ini_options"]
    return settings


def test_checks_before_a_commit_are_those_of_make_lint() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    hooks = [hook for repository in config["repos"] for hook in repository["hooks"]]
    assert [hook["entry"] for hook in hooks] == recipe("lint")
    assert all(hook["always_run"] and not hook["pass_filenames"] for hook in hooks)


def test_every_marker_is_declared_and_left_out_of_the_quick_tests() -> None:
    declared = {line.partition(":")[0] for line in pytest_settings()["markers"]}
    assert declared == {*MARKERS.values(), "slow", "thorough"}
    left_out = dict(re.findall(r"^(BARE|QUICK) := (.*)$", makefile(), re.MULTILINE))
    markers = {part.removeprefix("not ") for part in left_out["BARE"].split(" and ")}
    assert {*markers, "thorough"} == declared
    assert left_out["QUICK"] == "$(BARE) and not thorough"
    assert any('-m "$(QUICK)"' in command for command in recipe("quick"))
