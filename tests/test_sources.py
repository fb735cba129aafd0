"""The table of log formats, what must stand beside each entry, and how it is printed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from jobs import cli, formats
from jobs.formats import format_module
from jobs.show_sources import QUESTIONS
from schemas import fieldmaps
from schemas.config import Mapping, Source
from schemas.fieldmaps import field_map
from schemas.formats import FORMATS, read_formats

ROOT = Path(__file__).parents[1]
TABLE = ROOT / "schemas/formats.yml"
# Its fields are named in the config.
WITHOUT_FIELD_MAP = {"mapped"}


def names_in(folder: Path, pattern: str) -> set[str]:
    return {path.stem for path in folder.glob(pattern)}


def places_of_formats() -> dict[str, set[str]]:
    """Format ids by the places that must know each of them."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    cases = (ROOT / "tests/formats").glob("*/*/expected.json")
    return {
        "module in jobs/formats": names_in(Path(formats.__path__[0]), "[!_]*.py"),
        "field map in schemas/fieldmaps": names_in(Path(fieldmaps.__path__[0]), "*.yml")
        | WITHOUT_FIELD_MAP,
        "case in tests/formats": {path.parent.parent.name for path in cases},
        "mention in README.md": set(FORMATS) & set(re.findall(r"[a-z0-9_]+", readme)),
    }


def test_every_format_is_whole() -> None:
    """An entry, a module, a field map and a case each; all offenders at once."""
    problems = []
    for place, known in places_of_formats().items():
        problems += [f"{name}: no {place}" for name in FORMATS if name not in known]
        problems += [f"{name}: {place}, but no entry in formats.yml" for name in known - {*FORMATS}]
    assert not problems, "\n".join(sorted(problems))


def test_every_field_map_is_of_its_format() -> None:
    """A leaf is read or ignored, not both, and the record's type can be made of it."""
    problems = []
    for name in set(FORMATS) - WITHOUT_FIELD_MAP:
        known = field_map(name)
        both = {*known.used} & known.ignored
        problems += [f"{name}: {field} is read and ignored" for field in both]
        twice = {field for field in known.used if known.used.count(field) > 1}
        problems += [f"{name}: {field} stands there twice" for field in twice]
        fieldmaps.record_type(known.used)
    assert not problems, "\n".join(sorted(problems))


@pytest.mark.parametrize("name", FORMATS)
def test_the_example_is_a_source(name: str) -> None:
    source = Source(format=name, **FORMATS[name].example)
    assert source.dated or name == "mapped"
    assert format_module(name).columns(source)


def entry(**changes: object) -> str:
    whole = yaml.safe_load(TABLE.read_text(encoding="utf-8"))["sshd"]
    kept = {key: value for key, value in {**whole, **changes}.items() if value is not None}
    return yaml.safe_dump({"sshd": kept})


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"cost": None}, "cost\n  Field required"),
        ({"cost": " "}, "cost\n  String should"),
        ({"price": "high"}, "price\n  Extra inputs"),
        # What YAML makes of a bare `yes`.
        ({"bytes": {"told": True, "how": "by sftp"}}, "bytes.told\n  Input should be 'yes'"),
        ({"enable": []}, "enable\n  Tuple should have at least 1 item"),
        ({"title": "x" * 61}, "title\n  String should have at most 60"),
    ],
)
def test_an_entry_lacks_nothing(changes: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(complaint)):
        read_formats(entry(**changes))


def test_entries_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        FORMATS["sshd"].cost = "nothing"  # type: ignore[misc]


def shown(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    assert cli.main(["sources", *argv]) == 0
    return capsys.readouterr().out


def test_the_overview_has_a_line_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    header, _, *lines = shown(capsys).splitlines()
    assert header.split()[:6] == ["format", *QUESTIONS]
    assert [line.split()[0] for line in lines] == list(FORMATS)
    assert max(map(len, lines)) < 120
    row = next(line.split() for line in lines if line.startswith("slurm_sacct"))
    assert row[1:6] == ["yes", "no", "no", "no", "partly"]


@pytest.mark.parametrize("name", FORMATS)
def test_an_entry_is_shown_whole(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of the entry is missing; prose fits the terminal, and what is typed is one line."""
    monkeypatch.setenv("COLUMNS", "70")
    text = shown(capsys, name)
    told = " ".join(text.split())
    form = FORMATS[name]
    answers = [getattr(form, question).how for question in QUESTIONS]
    steps = [step.removeprefix("$ ") for step in form.enable]
    for part in (form.title, form.record, form.delivery, form.cost, *form.limits, *answers, *steps):
        assert " ".join(part.split()) in told
    prose, _, snippet = text.partition("In the config\n")
    typed = {f"    {step[2:]}" for step in form.enable if step.startswith("$ ")}
    lines = prose.splitlines()
    assert typed <= set(lines)
    # A word that is longer than the line stands alone.
    too_long = [line for line in lines if len(line) > 70 and len(line.split()) > 1]
    assert {*too_long} <= typed
    (source,) = yaml.safe_load(snippet.partition("\n\n")[0])["sources"]
    assert source == {"format": name, **form.example}


def test_the_keys_of_a_mapping_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    _, _, keys = shown(capsys, "mapped").partition("Keys of mapping\n")
    named = [line.split()[0] for line in keys.splitlines() if re.match(r"  \w", line)]
    assert named == list(Mapping.model_fields)


@pytest.mark.parametrize(
    ("name", "hint"), [("github", "did you mean github_audit?"), ("splunk", "(known: aws_cloud")]
)
def test_an_unknown_format(name: str, hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["sources", name]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert f"unknown format '{name}'" in err
    assert hint in err
    assert all(known in err for known in FORMATS)
