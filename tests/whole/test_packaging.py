"""The lock file can be installed anywhere, and the wheel holds all its files."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("dags", "jobs", "models", "schemas")
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", re.MULTILINE)


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    """The project table of pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def lock() -> str:
    """The lock file's text."""
    return (ROOT / "requirements.lock").read_text()


def test_the_lock_names_no_index(lock: str) -> None:
    places = re.compile(r"https?:|file:|index-url|find-links|(^|\s)/\w|@ ", re.MULTILINE)
    assert [line for line in lock.splitlines() if places.search(line)] == []


def test_every_pin_of_the_lock_has_hashes(lock: str) -> None:
    blocks = re.split(r"\n(?=[A-Za-z0-9])", lock.split("make lock\n", 1)[1])
    assert len(blocks) > 100
    assert [b.split()[0] for b in blocks if "--hash=sha256:" not in b or "==" not in b] == []


def test_the_lock_meets_the_projects_requirements(lock: str, project: dict[str, Any]) -> None:
    pins = {canonicalize_name(name): pin for name, pin in PIN.findall(lock)}
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    stale = [
        f"{wish}: the lock has {pins.get(canonicalize_name(wish.name))}"
        for wish in map(Requirement, wanted)
        if not wish.specifier.contains(pins.get(canonicalize_name(wish.name), "0"))
    ]
    assert stale == [], "`make lock` is due"


def test_only_one_package_brings_pyspark(lock: str) -> None:
    """pyspark-client writes the same files. If both were locked, the later would overwrite them."""
    pins = dict(PIN.findall(lock))
    assert "pyspark-client" not in pins
    assert pins["pyspark"] == "4.2.0"
    assert pins["delta-spark"] == "4.4.0"


def test_the_wheel_holds_every_file_of_the_packages(
    tmp_path: Path, project: dict[str, Any]
) -> None:
    source = tmp_path / "source"
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package, source / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    for name in ("pyproject.toml", "LICENSE", project["readme"]):
        shutil.copy(ROOT / name, source / name)
    build = "from setuptools import build_meta; build_meta.build_wheel('..')"
    subprocess.run(
        [sys.executable, "-c", build], cwd=source, check=True, capture_output=True, timeout=120
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        shipped = set(archive.namelist())
        entry_points = archive.read(next(n for n in shipped if n.endswith("entry_points.txt")))
    there = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert sorted(there - shipped) == []
    assert b"exfilwatch = jobs.cli.app:main" in entry_points


def test_the_installed_command_is_this_version(project: dict[str, Any]) -> None:
    command = Path(sys.executable).parent / "exfilwatch"
    done = subprocess.run(
        [command, "--version"], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout == f"exfilwatch {project['version']}\n"
