"""Every format's traps: raw logs in, events and rejects out.

A case is a folder ``formats/FORMAT/CASE`` with a raw log and ``expected.json``: why the case is
there, what the config says of its source, and for every event (by its id, or `*…` where the id is a
hash) and every reject the columns that matter, each with its reason. All cases are read in one run
on each engine, whose tables must be equal row for row.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jobs.stages import aggregate, ingest
from jobs.stages.ingest.formats import LOG_FORMATS
from jobs.stages.ingest.formats.log_format import PARSED
from jobs.stages.ingest.unknown_fields import paths_within
from jobs.trial.bench.format_records import LOGS
from schemas.config import JobConfig
from schemas.formats import FORMATS
from schemas.formats.field_map import field_map
from schemas.sources import Source
from schemas.tables.access import ACCESS, OBJECT_ACCESS
from schemas.tables.events import EVENTS, REJECTS
from tests.worlds.raw_logs import DAY, job_config, rows_of, run_ingest, trail_record, write_file
from tests.worlds.troubles import write_troubles

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Rows = list[dict[str, Any]]
CASES_FOLDER = Path(__file__).parent / "formats"
CASES = sorted(path.parent for path in CASES_FOLDER.glob("*/*/expected.json"))
MAPPING = {"time": "when", "principal": "who", "action": "what", "resource": "where"}


def case_name(case: Path) -> str:
    return f"{case.parent.name}/{case.name}"


def all_cases(folder: Path) -> JobConfig:
    """A job whose sources are all cases."""
    sources = []
    for case in CASES:
        expected = json.loads((case / "expected.json").read_text(encoding="utf-8"))
        source = {"name": case_name(case), "format": case.parent.name}
        sources.append({**source, "path": str(case / "input.*"), **expected.get("source", {})})
    return job_config(folder, sources, context=str(CASES_FOLDER / "context"), late_days=0)


@pytest.fixture(scope="module")
def job(sail: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> JobConfig:
    """All cases, read and aggregated on Sail."""
    config = all_cases(tmp_path_factory.mktemp("sail"))
    run_ingest(sail, config)
    aggregate.STAGE.run(sail, config, DAY)
    return config


@pytest.fixture(scope="module")
def events(sail: SparkSession, job: JobConfig) -> Rows:
    return rows_of(sail, job, EVENTS)


@pytest.fixture(scope="module")
def rejects(sail: SparkSession, job: JobConfig) -> Rows:
    return rows_of(sail, job, REJECTS)


def differences(row: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """Columns of ``row`` that are not as ``wanted``; of details only the wanted ones count."""
    found = []
    for column, value in wanted.items():
        if column == "why":
            continue
        if column == "details":
            for name, detail in value.items():
                if row["details"].get(name) != detail:
                    found.append(f"details.{name}: {row['details'].get(name)!r}, not {detail!r}")
            continue
        actual = str(row[column]) if isinstance(row[column], datetime) else row[column]
        if actual != value:
            found.append(f"{column}: {actual!r}, not {value!r}")
    return found


@pytest.mark.parametrize("case", CASES, ids=case_name)
def test_case(case: Path, events: Rows, rejects: Rows) -> None:
    expected = json.loads((case / "expected.json").read_text(encoding="utf-8"))
    rows = {row["event_id"]: row for row in events if row["source"] == case_name(case)}
    problems = []
    for event_id, wanted in expected["events"].items():
        if event_id.startswith("*"):
            alike = [name for name, row in rows.items() if not differences(row, wanted)]
            if len(alike) != 1:
                problems.append(f"{event_id} ({wanted['why']}): {len(alike)} events are like it")
            rows = {name: row for name, row in rows.items() if name not in alike}
        elif event_id not in rows:
            problems.append(f"{event_id} ({wanted['why']}): no such event")
        else:
            wrong = differences(rows.pop(event_id), wanted)
            problems += [f"{event_id} ({wanted['why']}): {text}" for text in wrong]
    problems += [f"unexpected event {row}" for row in rows.values()]
    problems += reject_problems(expected.get("rejects", []), rejects, case_name(case))
    assert not problems, "\n".join(problems)


def reject_problems(expected: Rows, rejects: Rows, source: str) -> list[str]:
    """What is not as expected among a source's rejects, which come in the order of the file."""
    found = [row for row in rejects if row["source"] == source]
    found.sort(key=lambda row: int(row["position"].split()[1]))
    if len(found) != len(expected):
        return [f"{len(found)} rejects, not {len(expected)}: {found}"]
    problems = []
    for row, wanted in zip(found, expected, strict=True):
        row["reason_starts"] = row["reason"][: len(wanted.get("reason_starts", ""))]
        wrong = differences(row, wanted)
        problems += [f"reject ({wanted['why']}): {text}" for text in wrong]
    return problems


def test_every_event_keeps_the_tables_rules(events: Rows) -> None:
    """Nothing null that must not be; only known values; bounds. All offenders at once."""
    problems = []
    for row in events:
        for column in EVENTS.columns:
            value = row[column.name]
            if value is None and not column.nullable:
                problems.append(f"{row['source']} {row['event_id']}: {column.name} is null")
            if value is not None and column.values and value not in column.values:
                problems.append(f"{row['source']} {row['event_id']}: {column.name} = {value!r}")
            if value == "" or (column.minimum is not None and (value or 0) < column.minimum):
                problems.append(f"{row['source']} {row['event_id']}: {column.name} = {value!r}")
        if not all(row["details"].values()):
            problems.append(f"{row['source']} {row['event_id']}: empty details {row['details']}")
    assert not problems, "\n".join(problems)


def test_no_secret_reaches_a_table(events: Rows, rejects: Rows) -> None:
    assert "SECRETTOKENEXAMPLE" not in json.dumps([events, rejects], default=str)


def merged_cases(folder: Path) -> JobConfig:
    """The same logs in few sources, as Spark plans each of them for seconds."""
    sources: dict[str, dict[str, Any]] = {}
    for case in CASES:
        expected = json.loads((case / "expected.json").read_text(encoding="utf-8"))
        settings = {"format": case.parent.name, **expected.get("source", {})}
        name = f"source-{len(sources)}"
        key = json.dumps(settings, sort_keys=True)
        name = sources.setdefault(key, {"name": name, "path": f"raw/{name}/*", **settings})["name"]
        (log,) = case.glob("input.*")
        write_file(folder / f"raw/{name}/{case.name}{log.suffix}", log.read_bytes())
    settings = {"context": str(CASES_FOLDER / "context"), "late_days": 0}
    return job_config(folder, [*sources.values()], **settings)


def troubled_files(folder: Path) -> JobConfig:
    """Files that are in trouble, in one source."""
    write_troubles(folder / "raw/troubles")
    return job_config(folder, [{"name": "troubles", "path": "raw/troubles/*"}], late_days=0)


@pytest.mark.parametrize("job_of", [merged_cases, troubled_files])
def test_engines_write_the_same_tables(
    sail: SparkSession,
    apache_spark: SparkSession,
    tmp_path: Path,
    job_of: Callable[[Path], JobConfig],
) -> None:
    on_sail = job_of(tmp_path)
    on_spark = on_sail.model_copy(update={"storage": str(tmp_path / "spark")})
    sums = []
    for engine, config in ((sail, on_sail), (apache_spark, on_spark)):
        sums.append(run_ingest(engine, config))
        assert "in two sources but counted once: 0" not in str(
            aggregate.STAGE.run(engine, config, DAY)
        )
    assert sums[0] == sums[1]
    for table in (EVENTS, REJECTS, ACCESS, OBJECT_ACCESS):
        one, other = rows_of(apache_spark, on_spark, table), rows_of(sail, on_sail, table)
        # One by one, for a message that can be read.
        for row, same in zip(one, other, strict=False):
            assert row == same, table.name
        assert len(one) == len(other), table.name


@pytest.mark.parametrize("format_id", FORMATS)
def test_every_format_yields_every_column(format_id: str) -> None:
    mapping = MAPPING if format_id == "mapped" else None
    source = Source(name="s", format=format_id, path="x", mapping=mapping)
    form = LOG_FORMATS[format_id]
    assert set(form.columns(source)) == set(PARSED)
    assert form.json or form.text


@pytest.mark.parametrize(
    ("format_id", "folder"),
    [
        ("aws_cloudtrail", "envelope"),
        ("aws_cloudtrail", "eventbridge"),
        ("azure_storage", "copies"),
        ("azure_storage", "principal_types"),
        ("gcp_audit", "identities"),
        ("github_audit", "one_a_line"),
        ("github_audit", "streamed"),
        ("github_audit", "api_requests"),
        ("gitlab_audit", "log_file"),
        ("gitlab_audit", "git_verbs"),
        ("kubernetes_audit", "exec"),
        ("kubernetes_audit", "aks_lines"),
        ("kubernetes_audit", "eks_users"),
        ("kubernetes_audit", "gke_entries"),
        ("litellm_gateway", "failures"),
        ("minio_audit", "identities"),
        ("minio_audit", "web_and_admin"),
    ],
)
def test_field_maps_know_the_fields_of_real_records(format_id: str, folder: str) -> None:
    """What the cases hold is what vendors send; a field in no list would be reported daily."""
    text = next((CASES_FOLDER / format_id / folder).glob("input.*")).read_text(encoding="utf-8")
    try:
        records = json.loads(text)["Records"]
    except ValueError:
        records = [json.loads(line) for line in text.splitlines()]
    known, form = field_map(format_id), LOG_FORMATS[format_id]
    paths = {path for record in records for path in paths_within(record, form)}
    assert not {path for path in paths if not known.knows(path)}


def test_streams_of_github_are_read_where_they_are_stored(
    sail: SparkSession, tmp_path: Path, events: Rows
) -> None:
    """Packed, under names of two endings, in a folder for every minute; each file sent twice."""
    stream = (CASES_FOLDER / "github_audit/streamed/input.ndjson").read_bytes()
    for name in ("00/a.json.gz", "01/b.json.log.gz"):
        write_file(tmp_path / "raw/2026/10/05/10" / name, stream)
    source = {"format": "github_audit", "path": "raw/{yyyy}/{mm}/{dd}/*/*/*.gz"}
    config = job_config(tmp_path, [source], late_days=0)
    run_ingest(sail, config)
    plain = [row["event_id"] for row in events if row["source"] == "github_audit/streamed"]
    assert [row["event_id"] for row in rows_of(sail, config, EVENTS)] == plain


@pytest.mark.parametrize("delimiter", [";", "\t", "|", "^", "]", "-", "&", " ", "\\"])
def test_any_separator(sail: SparkSession, tmp_path: Path, delimiter: str) -> None:
    """Characters that mean something in a pattern, a class or SQL are separators like others."""
    cells = ["2026/10/05_10.00", "ana@example.com", "open", f"a{delimiter}b"]
    line = delimiter.join([*cells[:3], f'"{cells[3]}"'])
    write_file(tmp_path / "raw/log.csv", f"{delimiter.join(MAPPING.values())}\n{line}\n")
    mapping = {**MAPPING, "delimiter": delimiter, "time_format": "yyyy/MM/dd_HH.mm"}
    config = job_config(tmp_path, [{"format": "mapped", "path": "raw/*", "mapping": mapping}])
    assert run_ingest(sail, config)["events"] == 1
    (event,) = rows_of(sail, config, EVENTS)
    assert (event["principal"], event["resource"]) == (cells[1], cells[3])


def test_csv_fields_are_the_same_by_every_way(sail: SparkSession) -> None:
    """Lines take shortcuts by their quotes; the fields equal those of the pattern alone.

    A line has fields only if the pattern covers all of it and quotes surround whole fields.
    """
    lines = ["".join(line) for n in range(1, 8) for line in product('a",', repeat=n)]
    source = Source(name="s", format="mapped", path="x", mapping=MAPPING)
    rows = LOG_FORMATS["mapped"].text
    parts, joined = (way("value", "a,b,c", source) for way in (rows.parts, rows.joined_parts))
    frame = sail.createDataFrame([(line,) for line in lines], "value string")
    rows = frame.selectExpr("value", f"{parts} as parts").selectExpr("value", f"{joined} as found")
    found = {row.value: row.found for row in rows.collect()}
    pattern, half = re.compile(',("(?:[^"]|"")*"|[^,]*)'), re.compile('"(?!(?:[^"]|"")*"$)')
    cells = {line: pattern.findall(f",{line}") for line in lines}
    assert found == {
        line: each if ",".join(each) == line and not any(map(half.match, each)) else None
        for line, each in cells.items()
    }
    assert None in found.values()


def test_every_format_is_timed() -> None:
    timed = {log.source.get("format", name) for name, log in LOGS.items()}
    assert timed | {"aws_cloudtrail"} == set(FORMATS)


def test_unknown_fields_are_counted_by_name(sail: SparkSession, tmp_path: Path) -> None:
    """Once a run, on the sample; fields below names that each API chooses are none."""
    records = [
        trail_record(1, brandNew={"a": 1, "b": [2]}),
        trail_record(2, brandNew={"a": 1}),
        trail_record(3, requestParameters={"bucketName": "b", "any": {"thing": 1}}),
    ]
    write_file(tmp_path / "raw/a.json", "".join(json.dumps(r) + "\n" for r in records) + "{bad\n")
    jobs = "JobID|User|Submit|Brand|New\n1|ana|2026-10-05T10:00:00|x|y\n"
    write_file(tmp_path / "raw/jobs.txt", jobs)
    write_file(tmp_path / "raw/log.csv", "when,who,what,where\n2026-10-05T10:00:00Z,ana,read,x\n")
    write_file(tmp_path / "raw/rows.txt", "1|ana|2026-10-05T10:00:00|x\n")
    rows = {"format": "slurm_sacct", "fields": "jobid,USER%20,Submit,Odd%9"}
    sources = [
        {"path": "raw/a.json"},
        {"path": "raw/jobs.txt", "name": "jobs", "format": "slurm_sacct"},
        {"path": "raw/rows.txt", "name": "rows", **rows},
        {
            "path": "raw/log.csv",
            "name": "wiki",
            "format": "mapped",
            "mapping": {**MAPPING, "user_agent": "browser"},
        },
    ]
    summary = str(ingest.STAGE.run(sail, job_config(tmp_path, sources), DAY))
    assert (
        "unknown fields in the sample: jobs: Brand (1), jobs: New (1), rows: Odd (1), " in summary
    )
    assert "trail: brandNew.a (2), trail: brandNew.b (1)" in summary
    assert "columns that the mapping reads and a file lacks: wiki: browser" in summary
    silent = job_config(tmp_path, sources[:1], ingest={"unknown_field_sample": 0})
    assert "unknown" not in str(ingest.STAGE.run(sail, silent, DAY))
