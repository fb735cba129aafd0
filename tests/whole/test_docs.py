"""The pages for readers: they match the code, and their links and commands exist."""

from __future__ import annotations

import re
import shlex
from functools import cache
from pathlib import Path

import pytest

from jobs.cli import app as cli
from jobs.inputs.csv_rows import COLUMNS
from jobs.trial import reference
from models.detectors import detector_names
from schemas.tables import TABLES

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("**/*.md")])
README_LINES = 150
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
COMMAND = re.compile(r"(?:^ {4}|`)(exfilwatch [a-z][^`\n]*)", re.MULTILINE)
MODULE = re.compile(r"python -m ((?:jobs|schemas|tests)\.[a-z_.]+)")
MAKE = re.compile(r"(?:^ {4}|`)make ([a-z]+)", re.MULTILINE)
FOLDER = re.compile(r"`((?:jobs|models|schemas|dags|tests|docs)/[\w./-]*)`")


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def without_code(text: str) -> str:
    """The text without fenced and indented code, because brackets there are no links."""
    return re.sub(r"^ {4}.*$", "", FENCE.sub("", text), flags=re.MULTILINE)


@cache
def anchors(page: Path) -> frozenset[str]:
    """Anchors of a page's headings, in the form of GitHub and GitLab."""
    headings = HEADING.findall(without_code(text_of(page)))
    return frozenset(
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings
    )


def test_generated_parts_match_the_code(capsys: pytest.CaptureFixture[str]) -> None:
    code = reference.main(["--check"])
    assert code == 0, capsys.readouterr().out


def test_a_page_that_differs_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for page in (ROOT / "docs").glob("*.md"):
        (tmp_path / page.name).write_text(text_of(page), encoding="utf-8")
    changed = tmp_path / "tables.md"
    changed.write_text(text_of(changed).replace("## events\n", "## other\n"), encoding="utf-8")
    monkeypatch.setattr(reference, "DOCS", tmp_path)
    assert reference.main(["--check"]) == 1
    assert capsys.readouterr().out.startswith("docs/tables.md differs from the code")
    assert reference.main([]) == 0
    assert reference.main(["--check"]) == 0
    assert text_of(changed) == text_of(ROOT / "docs" / "tables.md")


def test_a_page_without_marks_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.md").write_text("# Config\n", encoding="utf-8")
    monkeypatch.setattr(reference, "DOCS", tmp_path)
    with pytest.raises(ValueError, match=r"config\.md: `<!-- generated: config keys -->`"):
        reference.main([])


def test_every_config_key_has_a_meaning() -> None:
    rows = [line.split(" | ") for line in reference.config_keys().splitlines() if "| `" in line]
    assert len(rows) > 80
    without = [row[0] for row in rows if not row[-1].rstrip(" |").endswith(".")]
    assert not without


def test_the_readme_is_short() -> None:
    assert len(text_of(ROOT / "README.md").splitlines()) <= README_LINES


def test_the_readme_names_every_detector() -> None:
    named = re.findall(r"^\| `(\w+)` \|", text_of(ROOT / "README.md"), re.MULTILINE)
    assert named == list(detector_names())


def test_layout_names_every_table() -> None:
    text = text_of(ROOT / "docs" / "layout.md")
    assert not [table.name for table in TABLES if f"tables.md#{table.name})" not in text]


def test_layout_names_every_room() -> None:
    """A room is a package directly under `jobs`, `models` or `schemas`."""
    text = text_of(ROOT / "docs" / "layout.md")
    inits = (path for top in ("jobs", "models", "schemas") for path in ROOT.glob(f"{top}/*/"))
    rooms = [path.relative_to(ROOT).as_posix() for path in inits if (path / "__init__.py").exists()]
    assert len(rooms) > 10
    # `jobs/stages/N/` stands for every stage.
    assert not [room for room in rooms if f"`{room}/" not in text]


def test_the_columns_of_context_files_are_listed() -> None:
    text = text_of(ROOT / "docs" / "context.md")
    listed = dict(re.findall(r"^\| `(\w+)\.csv` \| ([\w, ]+) \|", text, re.MULTILINE))
    columns = {kind: ", ".join(names) for kind, names in COLUMNS.items()}
    assert listed == columns


def test_every_relative_link_has_a_target() -> None:
    """All offenders are listed at once."""
    problems = []
    for page in PAGES:
        for link in LINK.findall(without_code(text_of(page))):
            if "://" in link:
                continue
            path, _, anchor = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            if not target.exists():
                problems.append(f"{page.name}: {link}: no such file")
            elif anchor and anchor not in anchors(target):
                problems.append(f"{page.name}: {link}: no such heading")
    assert not problems, "\n".join(problems)


def test_every_page_is_reached_from_the_readme() -> None:
    text = text_of(ROOT / "README.md")
    assert not [page.name for page in PAGES if page.parent.name == "docs" and page.name not in text]


def test_every_named_file_exists() -> None:
    """Names with a placeholder in capitals (`models/detectors/NAME.yml`) do not count."""
    problems = []
    for page in PAGES:
        for name in FOLDER.findall(text_of(page)):
            made_up = "shard_store" in name or re.search(r"\b[A-Z]+\b", name)
            if not made_up and not (ROOT / name).exists():
                problems.append(f"{page.name}: {name}")
    assert not problems, "\n".join(problems)


def test_every_named_module_and_make_target_exists() -> None:
    targets = re.findall(r"^([a-z]+):", text_of(ROOT / "Makefile"), re.MULTILINE)
    problems = []
    for page in PAGES:
        text = text_of(page)
        for name in MODULE.findall(text):
            path = ROOT / name.rstrip(".").replace(".", "/")
            if not path.with_suffix(".py").exists() and not (path / "__main__.py").exists():
                problems.append(f"{page.name}: python -m {name}")
        problems += [
            f"{page.name}: make {name}" for name in MAKE.findall(text) if name not in targets
        ]
    assert not problems, "\n".join(problems)


def quoted_commands() -> dict[tuple[str, ...], set[str]]:
    """Words of each quoted command up to its first option → its quoted options."""
    options: dict[tuple[str, ...], set[str]] = {}
    for page in PAGES:
        for command in COMMAND.findall(text_of(page)):
            words = shlex.split(command.replace("[", "").replace("]", ""), comments=True)[1:]
            first = next((n for n, word in enumerate(words) if word.startswith("-")), len(words))
            given = {word.partition("=")[0] for word in words if word.startswith("--")}
            options.setdefault(tuple(words[:first]), set()).update(given)
    return options


def test_every_quoted_command_is_known(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each command and each of its options is in the help of the command line."""
    monkeypatch.setenv("COLUMNS", "300")
    commands = quoted_commands()
    assert len(commands) > 8
    problems = []
    for words, options in sorted(commands.items()):
        code = cli.main([*words, "--help"])
        out, err = capsys.readouterr()
        command = f"exfilwatch {' '.join(words)}"
        problems += [f"{command}: {err.strip()}"] if code else []
        unknown = options - set(re.findall(r"--[a-z-]+", out)) - {"--help"}
        problems += [f"{command}: {option}: no such option" for option in sorted(unknown)]
    assert not problems, "\n".join(problems)
