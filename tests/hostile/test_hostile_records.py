"""Each record is an event, a duplicate, a reject or of another day, whatever a log holds.

One run reads files of all formats, because a run of the engine is slow. Lines of good logs have
parts cut out, doubled or inserted. Other records have fields with values of any type.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from jobs.stages import ingest
from jobs.stages.ingest.formats import LOG_FORMATS
from jobs.stages.ingest.salvage.broken_json import split_lines
from jobs.stages.ingest.salvage.records import joined_rows
from schemas.formats import FORMATS
from schemas.formats.field_map import field_map, field_tree
from schemas.tables.events import EVENTS, REJECTS
from tests.worlds.raw_logs import DAY, job_config, rows_of, run_ingest, sums_by_source, write_file
from tests.worlds.sample_records import HEADERS, MAPPING, NOON, RECORDS, source_of, text_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

CASES_FOLDER = Path(__file__).parents[1] / "stages/ingest/formats"
FEW = settings(
    max_examples=3,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r"), max_size=30)
SIGNS = st.sampled_from([*'"\\ -[]{},:%/|\t', "\u2028"])
SHORT = st.one_of(TEXT, st.sampled_from(["", "-", "17", "-2", "sk-", "2026-10-05", "null", "::1"]))
NUMBERS = st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False))
VALUES = st.one_of(
    st.none(), st.booleans(), NUMBERS, SHORT, st.lists(SHORT, max_size=2), st.just({"a": {"b": 1}})
)


def sound_lines(format_id: str) -> list[str]:
    """All lines of a format's cases with one record a line, also below our own header."""
    lines = {text_of(RECORDS[format_id](n, NOON + timedelta(seconds=n))) for n in range(10)}
    if format_id not in HEADERS:
        logs = (CASES_FOLDER / format_id).glob("*/input.*")
        texts = [log.read_text(encoding="utf-8") for log in logs if log.suffix != ".json"]
        lines |= {line for text in texts for line in text.split("\n") if line.strip()}
    return sorted(lines)


@st.composite
def spoilt(draw: st.DrawFn, lines: list[str]) -> str:
    """A line with one place changed."""
    line = draw(st.sampled_from(lines))
    start = draw(st.integers(0, len(line)))
    end = min(len(line), start + draw(st.integers(0, 30)))
    middle = draw(st.one_of(st.just(""), SIGNS, TEXT, st.just(line[start:end] * 2)))
    return line[:start] + middle + line[end:]


def json_records(paths: tuple[str, ...]) -> st.SearchStrategy[str]:
    """Records with the given fields, each with a value of any type."""

    def objects(tree: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
        members = {
            name.removesuffix("[]"): VALUES if below is None else st.one_of(objects(below), VALUES)
            for name, below in tree.items()
        }
        return st.fixed_dictionaries({}, optional=members)

    return objects(field_tree(paths)).map(json.dumps)


def joined(separator: str, *parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(*parts).map(separator.join)


def cells(format_id: str, separator: str) -> st.SearchStrategy[str]:
    """Rows with about as many cells as the header has columns."""
    count = HEADERS[format_id].count(separator) + 1
    cell = st.one_of(SHORT, st.sampled_from(["2026-10-05T10:00:00Z", '"a', '"a""b"', "101.batch"]))
    return st.lists(cell, min_size=count - 1, max_size=count + 1).map(separator.join)


def lines_of_sshd() -> st.SearchStrategy[str]:
    """Lines that are nearly sshd's."""
    heads = [
        "Oct  5 10:00:00 h sshd[1]: ",
        "2026-10-05T10:00:00Z h sshd[1]: ",
        "<1>1 2026-10-05T10:00:00Z h sshd 1 - - ",
        "Oct 55 99:99:99 h sshd[1]: ",
        "Foo",
        "",
    ]
    middles = [
        "Accepted publickey for ",
        "Failed password for invalid user ",
        "Invalid user ",
        "message repeated 2 times: [ ",
        'close "',
        "Disconnected from user ",
        "Starting session: ",
        "",
    ]
    tails = [" from 192.0.2.1 port 2 ssh2: RSA SHA256:x", '" bytes read 9 written 1', "]", ""]
    parts = [st.sampled_from(heads), st.sampled_from(middles), SHORT, st.sampled_from(tails)]
    return joined("", *parts)


def lines_of_s3() -> st.SearchStrategy[str]:
    """Lines that are nearly S3 server access logs'."""
    word = st.one_of(SHORT, st.sampled_from(["REST.GET.OBJECT", "BATCH.DELETE.OBJECT", '"-"']))
    time = st.sampled_from(["[05/Oct/2026:10:00:00 +0000]", "[05/Oct/2026:99:00:00 +9999]", "-"])
    start = joined(" ", word, word, time, *[word] * 6)
    end = joined(" ", SHORT.map('"{}"'.format), *[word] * 6, st.just('"-" "x" -'))
    return joined(" ", start, end)


ODD_LINES: dict[str, Callable[[], st.SearchStrategy[str]]] = {
    "aws_s3_access": lines_of_s3,
    "slurm_sacct": lambda: cells("slurm_sacct", "|"),
    "sshd": lines_of_sshd,
    "mapped": lambda: cells("mapped", ","),
}


def any_records(format_id: str) -> st.SearchStrategy[str]:
    """Lines of a format with any values in the fields that are read."""
    if format_id in ODD_LINES:
        return ODD_LINES[format_id]()
    assert LOG_FORMATS[format_id].text is None, f"{format_id} needs odd lines"
    return json_records(field_map(format_id).used)


SPOILT = {name: st.one_of(spoilt(sound_lines(name)), TEXT) for name in FORMATS}
STRANGE = {name: any_records(name) for name in FORMATS}


@pytest.mark.parametrize("strategies", [SPOILT, STRANGE], ids=["spoilt", "strange"])
def test_every_line_is_counted(
    sail: SparkSession, strategies: dict[str, st.SearchStrategy[str]]
) -> None:
    @FEW
    @given(
        st.fixed_dictionaries(
            # More lines would exceed the size of an example, and hypothesis would drop it.
            {name: st.lists(lines, min_size=6, max_size=8) for name, lines in strategies.items()}
        )
    )
    def check(drawn: dict[str, list[str]]) -> None:
        with TemporaryDirectory() as name:
            folder = Path(name)
            written = {}
            for format_id, lines in drawn.items():
                # A bad line, because the summary lists only sources with rejects.
                written[format_id] = [*sound_lines(format_id), *lines, "no record"]
                header = [HEADERS[format_id]] if format_id in HEADERS else []
                text = "\n".join([*header, *written[format_id]])
                write_file(folder / f"raw/{format_id}/log", text + "\n")
            config = job_config(folder, [source_of(name) for name in FORMATS], late_days=0)
            sums = sums_by_source(str(ingest.STAGE.run(sail, config, DAY)))
            for format_id, lines in written.items():
                # Several JSON objects on a line are several records.
                assert sum(sums[format_id].values()) >= count_rows(format_id, lines), format_id
                assert sums[format_id]["events"] > 0, format_id
            assert not broken_rules(rows_of(sail, config, EVENTS))

    check()


def count_rows(format_id: str, lines: list[str]) -> int:
    """Number of lines that are not blank. The parts of a broken row of sacct count as one.

    An empty page of an export and an empty batch do not count.
    """
    form = LOG_FORMATS[format_id]
    pieces = list(split_lines("\n".join(lines), cut=False))
    breaks = form.text.breaks if form.text else None
    if breaks:
        return len(list(joined_rows(pieces, HEADERS[format_id], breaks)))
    return sum(not is_empty_page(line, form.envelopes) for _, line, _ in pieces)


def is_empty_page(line: str, envelopes: tuple[str, ...]) -> bool:
    """Whether a line is an empty array, or an object with an empty array in place of records."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return False
    members = value if isinstance(value, dict) else {"": value}
    return any(members.get(array) == [] for array in envelopes)


def broken_rules(events: list[dict[str, Any]]) -> list[str]:
    """Values that no column of ``events`` may hold."""
    return [
        f"{row['source']} {column.name}: {row[column.name]!r}"
        for row in events
        for column in EVENTS.columns
        if row[column.name] == ""
        or (row[column.name] is None and not column.nullable)
        or (
            row[column.name] is not None and column.values and row[column.name] not in column.values
        )
    ]


def test_strange_records_of_a_mapped_json_log(sail: SparkSession, tmp_path: Path) -> None:
    @FEW
    @given(st.lists(json_records(tuple(MAPPING.values())), min_size=30, max_size=60))
    def check(lines: list[str]) -> None:
        good = json.dumps(dict.fromkeys(MAPPING.values(), f"{DAY}T10:00:00Z"))
        write_file(tmp_path / "raw/mapped/log", "\n".join([good, *lines]) + "\n")
        config = job_config(tmp_path, [source_of("mapped")], late_days=0)
        assert run_ingest(sail, config)["records"] == len(lines) + 1
        assert not broken_rules(rows_of(sail, config, EVENTS))

    check()


def test_a_cut_headerless_file_is_read_up_to_the_cut(sail: SparkSession, tmp_path: Path) -> None:
    """Lines without a header stay lines on the slow path, where their header is empty."""
    lines = [
        line.replace("R01", f"R-{number}")
        for number in range(3000)
        for line in sound_lines("aws_s3_access")
        if " R01 " in line
    ]
    packed = gzip.compress("\n".join(lines).encode(), mtime=0)
    write_file(tmp_path / "raw/a.gz", packed[:-200], pack=False)
    write_file(tmp_path / "raw/b.gz", lines[0] + "\n\n" + lines[1] + "\n")
    source = {"format": "aws_s3_access", "path": "raw/*"}
    sums = run_ingest(sail, job_config(tmp_path, [source]))
    assert 2000 < sums["events"] < 3000
    assert (sums["duplicates"], sums["rejects"]) == (2, 2)


def padded_files(format_id: str) -> dict[str, str]:
    """Logs of four records of a format with NUL characters in many places; one log is only NUL."""
    lines = [text_of(RECORDS[format_id](n, NOON + timedelta(seconds=n))) for n in range(4)]
    header = [HEADERS[format_id]] if format_id in HEADERS else []
    text = "\n".join([*header, *lines]) + "\n"
    between = [*header, lines[0], "\0" * 5000 + lines[1], "\0" * 9, lines[2] + "\0" * 9]
    contents = {
        "front": "\0" * 40_000 + text,
        "much": "\0" * (1 << 21) + text,
        "between": "\n".join(between) + "\n\0\0\n" + lines[3] + "\n",
        "behind": text + "\0" * 70_000,
        "only": "\0" * 100_000,
    }
    if array := next(iter(LOG_FORMATS[format_id].envelopes), None):
        records = [json.loads(line) for line in lines]
        document = json.dumps({array: records} if array else records)
        contents["document"] = "\0" * 40_000 + document + "\n" + "\0" * 100
    return contents


def test_nul_padding_costs_nothing(sail: SparkSession, tmp_path: Path) -> None:
    """NUL in front of a file (left by rotation with copy and truncate), between and behind."""
    sources = []
    for format_id in RECORDS:
        for name, content in padded_files(format_id).items():
            write_file(tmp_path / f"raw/{format_id}-{name}/a.log", content)
            path = {"name": f"{format_id}-{name}", "path": f"raw/{format_id}-{name}/*"}
            sources.append(source_of(format_id) | path)
    config = job_config(tmp_path, sources, late_days=0)
    sums = run_ingest(sail, config)
    assert sums["rejects"] == 0, rows_of(sail, config, REJECTS)
    found = Counter(row["source"] for row in rows_of(sail, config, EVENTS))
    names = [source["name"] for source in sources if not source["name"].endswith("-only")]
    assert found == dict.fromkeys(names, 4)
