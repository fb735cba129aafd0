"""Listing a source's files: as ``glob`` does, but for links, odd files and too many files."""

from __future__ import annotations

import glob
import os
import shutil
import socket
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.platform.errors import RunError
from jobs.stages.ingest.listing import (
    any_day,
    day_folder,
    matching_files,
    own_folder,
    unmatched_files,
)
from tests.stages.ingest.test_find_files import found, names, source_of
from tests.worlds.raw_logs import DAY, write_file

NAMES = st.sampled_from(["a", "b", "ab", ".a", "a.json", "[a]", "a b", "é", "a\nb", "b.json.gz"])
TREES = st.lists(st.lists(NAMES, min_size=1, max_size=4), max_size=12)
GLOBS = st.sampled_from(["*", "a", "a*", "*.json", "?", "[ab]", "[!a]*", ".*", "**", "[[]a]", ".a"])
PATTERNS = st.lists(GLOBS, min_size=1, max_size=4)


def globbed(pattern: str) -> list[str]:
    """What the standard library's glob says of the same."""
    found = glob.glob(pattern, recursive=True)  # noqa: PTH207  that is the model
    return sorted({path for path in found if path[-1] != "/" and Path(path).is_file()})


def listed(pattern: Path | str) -> list[str]:
    """Sorted paths of all files that a pattern matches, odd ones included."""
    problems: dict[str, str] = {}
    files = matching_files(str(pattern), own_folder(str(pattern)), problems)
    paths = sorted(file.path for file in files)
    assert not problems
    return paths


@settings(max_examples=300, deadline=None)
@given(tree=TREES, pattern=PATTERNS)
def test_files_are_those_that_glob_finds(tree: list[list[str]], pattern: list[str]) -> None:
    with TemporaryDirectory() as folder:
        for path in tree:
            file = Path(folder, *path)
            if not any(part.is_file() for part in (file, *file.parents)) and not file.exists():
                write_file(file, "x", pack=False)
        whole = f"{folder}/{'/'.join(pattern)}"
        assert listed(whole) == globbed(whole)


@pytest.mark.parametrize("pattern", ["*/x", "x/*", "**/x", "*.json", "x", "x/", "**", "**/*"])
def test_a_relative_pattern_and_one_that_matches_nothing(
    pattern: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert listed(pattern) == []
    write_file(tmp_path / "a/x", "x")
    write_file(tmp_path / "b.json", "x")
    assert listed(pattern) == globbed(pattern)


@pytest.mark.timeout(20)
def test_folder_links_that_lead_back_are_read_once(tmp_path: Path) -> None:
    write_file(tmp_path / "logs/a/1.json", "{}\n")
    write_file(tmp_path / "logs/b/2.json", "{}\n")
    for number in range(2):
        (tmp_path / f"logs/a/up{number}").symlink_to("..")
        (tmp_path / f"logs/b/self{number}").symlink_to(".")
    files = found(source_of(tmp_path / "logs/**/*.json"))
    assert [f.path for f in files] == [f"{tmp_path}/logs/a/1.json", f"{tmp_path}/logs/b/2.json"]


def test_a_file_with_links_is_read_once(tmp_path: Path) -> None:
    write_file(tmp_path / "m.json", "{}\n")
    (tmp_path / "a.json").symlink_to("m.json")
    (tmp_path / "z.json").symlink_to(tmp_path / "a.json")
    assert names(found(source_of(tmp_path / "*.json"))) == ["m.json"]
    # Also if only the links match.
    assert names(found(source_of(tmp_path / "[az].json"))) == ["a.json"]


@pytest.mark.timeout(20)
def test_listing_stops_when_there_are_too_many_files(tmp_path: Path) -> None:
    for number in range(5):
        write_file(tmp_path / f"a/{number}.json", "{}\n")
    write_file(tmp_path / "b/hidden/9.json", "{}\n")
    (tmp_path / "b").chmod(0)
    with pytest.raises(RunError, match=r"has 4 files .* 3 that `ingest\.max_files` allows"):
        found(source_of(tmp_path / "a/**"), max_files=3)


@pytest.mark.timeout(20)
def test_odd_files_are_listed_and_never_opened(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    write_file(logs / "a.json", "{}\n")
    write_file(tmp_path / "other/secret.json", "{}\n")
    os.mkfifo(logs / "pipe.json")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(logs / "socket.json"))
    (logs / "out.json").symlink_to(tmp_path / "other/secret.json")
    (logs / "zero.json").symlink_to("/dev/zero")
    (logs / "folder").symlink_to(tmp_path / "other")
    (logs / "to_pipe.json").symlink_to("pipe.json")
    files = {Path(f.path).name: str(f.refused) for f in found(source_of(logs / "**"))}
    assert files.pop("a.json") == "None"
    assert files.pop("pipe.json") == "a named pipe"
    assert files.pop("to_pipe.json") == "a named pipe"
    assert files.pop("socket.json") == "a socket"
    assert files.pop("out.json").startswith(f"a link to {tmp_path}/other/secret.json, which lies ")
    assert files.pop("zero.json").startswith("a link to /dev/zero, which lies outside")
    assert files.pop("folder").startswith(f"a link to {tmp_path}/other, which lies outside {logs}")
    assert files == {}


def test_devices_are_never_opened(tmp_path: Path) -> None:
    try:
        os.mknod(tmp_path / "null.json", 0o20666, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("this user may not make a device")
    assert [f.refused for f in found(source_of(tmp_path / "*"))] == ["a device"]


def test_the_folder_of_the_config_may_be_a_link(tmp_path: Path) -> None:
    write_file(tmp_path / "disk/2026/10/05/a.json", "{}\n")
    (tmp_path / "raw").symlink_to("disk")
    assert names(found(source_of(tmp_path / "raw/{yyyy}/{mm}/{dd}/*.json"))) == ["a.json"]


def test_a_day_that_is_a_link_out_of_the_folder_is_odd(tmp_path: Path) -> None:
    write_file(tmp_path / "disk/a.json", "{}\n")
    (tmp_path / "raw/2026/10").mkdir(parents=True)
    (tmp_path / "raw/2026/10/05").symlink_to(tmp_path / "disk")
    (day,) = found(source_of(tmp_path / "raw/{yyyy}/{mm}/{dd}/*.json"), late_days=1)
    assert str(day.refused).startswith(f"a link to {tmp_path}/disk, which lies outside")


@pytest.mark.parametrize(
    ("pattern", "folder"),
    [
        ("raw/{yyyy}/{mm}/{dd}/*.json", "raw/{yyyy}/{mm}/{dd}"),
        ("raw/*/{yyyy}-{mm}-{dd}/h=00/m=00/x.json", "raw/*/{yyyy}-{mm}-{dd}"),
        ("raw/{yyyy}/{mm}/{dd}/{yyyy}{mm}{dd}-*.json", "raw/{yyyy}/{mm}/{dd}"),
        ("raw/{yyyy}/{mm}/{dd}.json", None),
        ("raw/{yyyy}/{mm}/*.json", None),
        ("raw/*.json", None),
    ],
)
def test_folders_of_one_day(pattern: str, folder: str | None) -> None:
    assert day_folder(pattern) == folder


def test_any_day() -> None:
    digits = "[0-9][0-9]"
    assert any_day("a/{yyyy}{mm}/{dd}/*") == f"a/{digits}{digits}{digits}/{digits}/*"


@pytest.mark.parametrize(
    ("pattern", "unmatched"),
    [
        ("*.json", ["a.json.gz", "h=00/b.json", "h=01/c.json.gz"]),
        ("*.json*", ["h=00/b.json", "h=01/c.json.gz"]),
        ("h=00/*", ["a.json", "a.json.gz", "h=01/c.json.gz"]),
        ("**", []),
    ],
)
def test_files_of_the_day_that_do_not_match(
    pattern: str, unmatched: list[str], tmp_path: Path
) -> None:
    day = tmp_path / "2026/10/05"
    for name in ("a.json", "a.json.gz", "h=00/b.json", "h=01/c.json.gz", "_DONE", ".a.json"):
        write_file(day / name, "{}\n")
    write_file(day / "empty", b"")
    write_file(tmp_path / "2026/10/06/x.csv", "x")
    source = source_of(tmp_path / "{yyyy}/{mm}/{dd}" / pattern)
    matched = {f.path for f in found(source)}
    paths = unmatched_files(str(day), str(tmp_path), matched)
    assert sorted(str(Path(path).relative_to(day)) for path in paths) == unmatched


def test_a_folder_that_vanishes_is_no_problem(tmp_path: Path) -> None:
    write_file(tmp_path / "a/1.json", "{}\n")
    write_file(tmp_path / "b/2.json", "{}\n")
    problems: dict[str, str] = {}
    files = matching_files(f"{tmp_path}/*/*.json", str(tmp_path), problems)
    first = Path(next(files).path)
    for folder in (tmp_path / "a", tmp_path / "b"):
        if folder != first.parent:
            shutil.rmtree(folder)
    assert list(files) == []
    assert problems == {}


def test_a_late_day_that_has_no_folder_is_no_problem(tmp_path: Path) -> None:
    write_file(tmp_path / f"{DAY + timedelta(days=1):%Y/%m/%d}/a.json", "{}\n")
    source = source_of(tmp_path / "{yyyy}/{mm}/{dd}/*.json")
    assert names(found(source, late_days=2)) == ["a.json"]
