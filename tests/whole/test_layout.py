"""The layout: sizes of files and functions, visible imports, rooms of `jobs`."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("dags", "jobs", "models", "schemas")
FILE_LINES = 400
FUNCTION_LINES = 60
PURE_DATA = ("jobs/stages/ingest/vendors/sshd_messages.py",)
"""Files that may be longer: tables of a vendor's values, one value a line."""
IMPORTERS = {"__import__", "import_module", "run_module"}


@cache
def modules(folder: str) -> list[tuple[str, ast.Module, int]]:
    """Path from the root, syntax tree and number of lines of every Python file."""
    texts = {path: path.read_text() for path in sorted((ROOT / folder).rglob("*.py"))}
    return [
        (str(path.relative_to(ROOT)), ast.parse(text), len(text.splitlines()))
        for path, text in texts.items()
    ]


def functions(tree: ast.Module) -> Iterator[tuple[str, int, int]]:
    """Name, first line and number of lines of every function."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield node.name, node.lineno, node.end_lineno - node.lineno + 1


def called(node: ast.AST) -> str:
    """The last part of the called name; empty if the call has no name."""
    if not isinstance(node, ast.Call):
        return ""
    match node.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def rooms_of_jobs() -> set[str]:
    """The rooms in import-linter's contract."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = project["tool"]["importlinter"]["contracts"]
    (contract,) = (each for each in contracts if each["name"].startswith("rooms of jobs"))
    return {layer.removeprefix("jobs.") for layer in contract["layers"]}


def test_no_file_is_too_long() -> None:
    found = [
        f"{path}: {lines} lines"
        for folder in (*PACKAGES, "tests")
        for path, _, lines in modules(folder)
        if lines > FILE_LINES and path not in PURE_DATA
    ]
    assert found == []


def test_no_function_is_longer_than_a_page() -> None:
    found = [
        f"{path}:{line} {name}: {lines} lines"
        for folder in (*PACKAGES, "tests")
        for path, tree, _ in modules(folder)
        for name, line, lines in functions(tree)
        if lines > FUNCTION_LINES
    ]
    assert found == []


def test_every_import_is_visible_to_tools() -> None:
    found = [
        f"{path}:{node.lineno}"
        for folder in PACKAGES
        for path, tree, _ in modules(folder)
        for node in ast.walk(tree)
        if called(node) in IMPORTERS and isinstance(node, ast.Call)
    ]
    assert found == []


def test_every_module_of_jobs_is_in_a_room() -> None:
    tops = {Path(path).relative_to("jobs").parts[0] for path, _, _ in modules("jobs")}
    assert {top.removesuffix(".py") for top in tops} - rooms_of_jobs() == {"__init__"}


def test_every_room_of_jobs_is_there() -> None:
    homes = {path.stem for path in (ROOT / "jobs").iterdir()}
    assert rooms_of_jobs() - homes == set()
