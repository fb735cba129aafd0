"""The descriptions of log formats, the files that each format needs, and the printed text."""

from __future__ import annotations

import gzip
import re
from datetime import date
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from jobs.cli import app as cli
from jobs.cli.sources import QUESTIONS
from jobs.inputs.config import DEFAULTS
from jobs.stages.ingest.find_files import files_of_source
from jobs.stages.ingest.formats import LOG_FORMATS
from schemas.config import Ingest
from schemas.formats import FORMATS, read_format
from schemas.formats.field_map import field_map, record_type
from schemas.sources import Mapping, Source

ROOT = Path(__file__).parents[2]
CASES = ROOT / "tests/stages/ingest/formats"
LIMITS = Ingest(**yaml.safe_load(DEFAULTS.read_text(encoding="utf-8"))["ingest"])
# The config names its fields.
WITHOUT_FIELD_MAP = {"mapped"}


def names_in(folder: Path, pattern: str) -> set[str]:
    return {path.stem for path in folder.glob(pattern)}


def description(name: str) -> dict[str, object]:
    text = (ROOT / f"schemas/formats/{name}.yml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text))


def has_fields(name: str) -> bool:
    return "fields" in description(name)


def places_of_formats() -> dict[str, set[str]]:
    """Place that must have every format → format ids found there."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    cases = CASES.glob("*/*/expected.json")
    return {
        "module in jobs/stages/ingest/formats": names_in(
            ROOT / "jobs/stages/ingest/formats", "[!_]*.py"
        )
        - {"log_format"},
        "entry in LOG_FORMATS": {*LOG_FORMATS},
        "`fields` in schemas/formats": {name for name in FORMATS if has_fields(name)}
        | WITHOUT_FIELD_MAP,
        "case in tests/stages/ingest/formats": {path.parent.parent.name for path in cases},
        "mention in README.md": set(FORMATS) & set(re.findall(r"[a-z0-9_]+", readme)),
    }


def test_every_format_is_complete() -> None:
    """Each has a file, a module, fields and a case. All offenders are listed at once."""
    problems = []
    for place, known in places_of_formats().items():
        problems += [f"{name}: no {place}" for name in FORMATS if name not in known]
        problems += [
            f"{name}: {place}, but no file in schemas/formats" for name in known - {*FORMATS}
        ]
    assert not problems, "\n".join(sorted(problems))


def test_every_field_map_is_valid() -> None:
    """No leaf is both read and ignored, and the record's type can be made."""
    problems = []
    for name in set(FORMATS) - WITHOUT_FIELD_MAP:
        known = field_map(name)
        both = {*known.used} & known.ignored
        problems += [f"{name}: {field} is read and ignored" for field in both]
        twice = {field for field in known.used if known.used.count(field) > 1}
        problems += [f"{name}: {field} is listed more than once" for field in twice]
        record_type(known.used)
    assert not problems, "\n".join(sorted(problems))


@pytest.mark.parametrize("name", FORMATS)
def test_the_example_is_a_source(name: str) -> None:
    source = Source(format=name, **FORMATS[name].example)
    assert source.dated or name == "mapped"
    assert LOG_FORMATS[name].columns(source)


AZURE = "resourceId=/SUBSCRIPTIONS/S/RESOURCEGROUPS/G/y=2026/m=10/d=05/h=23/m=00/PT1H.json"
HOUR = "2026/10/05/23:00:00_23:59:59_S0.json"
UUID = "3c9e2b7a-0b1d-4b9f-9d8c-1f2e3d4c5b6a"
DELIVERED = {
    "aws_cloudtrail": (
        "AWSLogs/111122223333/CloudTrail/eu-central-1/2026/10/05/"
        "111122223333_CloudTrail_eu-central-1_20261005T1005Z_mN0aBcDeFgHiJkLm.json.gz",
        "prefix/AWSLogs/o-a1b2c3d4e5/111122223333/CloudTrail/us-east-1/2026/10/05/"
        "111122223333_CloudTrail_us-east-1_20261005T1005Z_mN0aBcDeFgHiJkLm.json.gz",
    ),
    "aws_s3_access": (
        "lab-ckpt/2026-10-05-10-15-32-1A2B3C4D5E6F7A8B",
        "lab-ckpt-2026-10-05-10-15-32-1A2B3C4D5E6F7A8B",
        "111122223333/eu-central-1/lab-ckpt/2026/10/05/2026-10-05-10-15-32-1A2B3C4D5E6F7A8B",
    ),
    "azure_storage": tuple(
        f"insights-logs-storage{kind}/{AZURE}" for kind in ("read", "write", "delete")
    ),
    "gcp_audit": tuple(
        f"cloudaudit.googleapis.com/{log}/{HOUR}" for log in ("data_access", "activity")
    ),
    "github_audit": (f"2026/10/05/10/00/{UUID}.json.log.gz", f"2026/10/05/10/00/{UUID}.json.gz"),
    "gitlab_audit": (
        "2026/10/05/audit_json.log",
        "2026/10/05/audit_json.log.1.gz",
        "2026/10/05/host-1/audit_json.log.2.gz",
        "2026/10/05/events.ndjson",
    ),
    "kubernetes_audit": (
        "prod-east/2026/10/05/audit.log",
        "prod-east/2026/10/05/audit-2026-10-05T10-00-00.000.log.gz",
        f"prod-east/insights-logs-kube-audit/{AZURE}",
        f"prod-east/cloudaudit.googleapis.com/activity/{HOUR}",
        f"prod-east/2026/10/05/10/audit-stream-1-2026-10-05-10-00-01-{UUID}",
    ),
    "litellm_gateway": (
        "2026-10-05/time-10-15-32-123456_chatcmpl-1.json",
        "team-a/2026-10-05/time-10-15-32-123456_chatcmpl-1.json",
    ),
    "minio_audit": ("2026/10/05/minio.ndjson", "2026/10/05/minio.ndjson.gz"),
    "slurm_sacct": ("2026-10-05.txt", "2026-10-05.txt.gz"),
    "sshd": tuple(
        f"2026/10/05/{name}"
        for name in (
            "auth.log",
            "auth.log.1",
            "auth.log.2.gz",
            "secure",
            "secure-20261005",
            "secure-20261005.gz",
            "login-1/auth.log",
        )
    ),
}
"""Names under which vendors, log rotation and the commands of ``enable`` store files of a day."""
NOT_RECORDS = {
    "aws_cloudtrail": "AWSLogs/111122223333/CloudTrail-Digest/eu-central-1/2026/10/05/"
    "111122223333_CloudTrail-Digest_eu-central-1_trail_eu-central-1_20261005T1005Z.json.gz",
}


@pytest.mark.parametrize("name", DELIVERED)
def test_the_example_finds_the_vendors_files(name: str, tmp_path: Path) -> None:
    example = FORMATS[name].example
    source = Source(format=name, **{**example, "path": f"{tmp_path}/{example['path']}"})
    files = [f"{tmp_path}/raw/{name}/{path}" for path in DELIVERED[name]]
    another_day = [path.replace("05", "06").replace("d=05", "d=06") for path in files]
    others = [f"{tmp_path}/raw/{name}/{path}" for path in (NOT_RECORDS.get(name),) if path]
    for path in (*files, *another_day, *others):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(gzip.compress(b"{}\n") if path.endswith(".gz") else b"{}\n")
    found = files_of_source(source, date(2026, 10, 5), 0, LIMITS)
    assert [file.path for file in found] == sorted(files)


def test_every_format_has_names_of_files() -> None:
    assert {*DELIVERED} == {*FORMATS} - WITHOUT_FIELD_MAP


def entry(**changes: object) -> str:
    whole = description("sshd")
    kept = {key: value for key, value in {**whole, **changes}.items() if value is not None}
    return yaml.safe_dump(kept)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"cost": None}, "cost\n  Field required"),
        ({"cost": " "}, "cost\n  String should"),
        ({"price": "high"}, "price\n  Extra inputs"),
        # YAML reads a bare `yes` as True.
        ({"bytes": {"holds": True, "how": "by sftp"}}, "bytes.holds\n  Input should be 'yes'"),
        ({"enable": []}, "enable\n  Tuple should have at least 1 item"),
        ({"title": "x" * 61}, "title\n  String should have at most 60"),
    ],
)
def test_an_invalid_entry_is_refused(changes: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(complaint)):
        read_format(entry(**changes))


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
    """Every part of the entry is shown. Prose fits the terminal; a command is one line."""
    monkeypatch.setenv("COLUMNS", "70")
    text = shown(capsys, name)
    printed = " ".join(text.split())
    form = FORMATS[name]
    answers = [getattr(form, question).how for question in QUESTIONS]
    steps = [step.removeprefix("$ ") for step in form.enable]
    for part in (form.title, form.record, form.delivery, form.cost, *form.limits, *answers, *steps):
        assert " ".join(part.split()) in printed
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
