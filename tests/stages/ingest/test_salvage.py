"""The slow path: every good record of a bad file is kept, every bad one is named."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from jobs.stages.ingest.raw_file import RawFile
from jobs.stages.ingest.salvage.broken_json import json_problem, split_elements, split_lines
from jobs.stages.ingest.salvage.records import mend_surrogates, read_records, scrub
from schemas.tables.events import EVENTS, REJECTS
from tests.worlds import sample_records
from tests.worlds.raw_logs import (
    DAY,
    envelope,
    job_config,
    rows_of,
    run_ingest,
    trail_record,
    write_file,
)
from tests.worlds.troubles import long_lines, write_troubles

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

PLENTY = 1 << 30
GOOD = '{"a": [1, "]}"], "b": {"c": "},{"}}'


def pieces(text: str, array: str = "Records", cut: bool = False) -> list[tuple[str, bool]]:
    """Text of each piece, and whether it is a good record."""
    return [(piece, problem is None) for _, piece, problem in split_elements(text, array, cut)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"Records":[]}', []),
        (f'{{"Records":[{GOOD},{GOOD}]}}', [(GOOD, True), (GOOD, True)]),
        # On one line, as the engine reads it back; breaks inside strings are none in JSON.
        ('{"Records":[{"a":\n 1,\r\n"b":"x\\ny"}]}', [('{"a":  1, "b":"x\\ny"}', True)]),
        # As written, whatever that says of numbers and keys.
        ('{"Records":[{"a":89.0,"a":1e3}]}', [('{"a":89.0,"a":1e3}', True)]),
        ('{"x":{"y":[1]},"Records":[{}],"z":[1]}', [("{}", True)]),
        # What is no object.
        ('{"Records":[1,{},null]}', [("1", False), ("{}", True), ("null", False)]),
        # A broken element ends where the next seems to begin.
        ('{"Records":[{"a":},{"b":1}]}', [('{"a":}', False), ('{"b":1}', True)]),
        ('{"Records":[{"a":1 "b":2} , {"c":3}]}', [('{"a":1 "b":2}', False), ('{"c":3}', True)]),
        ('{"Records":[{"a":1} {"b":2},{"c":3}]}', [('{"a":1} {"b":2}', False), ('{"c":3}', True)]),
        (
            '{"Records":[{"a":1},{"a":2,{"a":3}]}',
            [('{"a":1}', True), ('{"a":2', False), ('{"a":3}', True)],
        ),
        (
            '{"Records":[{bad,{"a":[{"b":1},{"a":2}]}]}',
            [("{bad", False), ('{"a":[{"b":1},{"a":2}]}', True)],
        ),
        ('{"Records":[{"a":1},,{"b":2}]}', [('{"a":1}', True), ('{"b":2}', True)]),
        # A broken last element does not hide the end of its document.
        ('{"Records":[{"a":NaN}]}', [('{"a":NaN}', False)]),
        ('{"Records":[{"a":1},{"b],"x":[2]}', [('{"a":1}', True), ('{"b', False)]),
        # Lines before the document, one of which made the file look like one.
        (
            '{"a":1\n{"b":2}\n{"x":1,"Records":[{"c":3}]}',
            [('{"a":1', True), ('{"b":2}', True), ('{"c":3}', True)],
        ),
        ('{"a":1} {"Records":[{"c":3}]}', [('{"a":1} {', False), ('{"c":3}', True)]),
        ('{\n"a":\n1,\n"Records":[{"c":3}]}', [('{"c":3}', True)]),
        # The array or the document does not end.
        ('{"Records":[{"a":1}', [('{"a":1}', True), ("", False)]),
        ('{"Records":[{"a":1}]', [('{"a":1}', True), ("", False)]),
        ('{"Records":[{"a":1}],"b"', [('{"a":1}', True), (',"b"', False)]),
        # Documents in a row.
        ('{"Records":[{}]}\n{"b":1,"Records":[{}]}', [("{}", True), ("{}", True)]),
        ('{"Records":[{}]} and {"Records":[{}]}', [("{}", True), ("and {", False), ("{}", True)]),
        ('{"Records":[{}]} {"other":1}', [("{}", True), ('{"other":1}', False)]),
        ('{"events":[{}]}', [('{"events":[{}]}', False)]),
    ],
)
def test_elements(text: str, expected: list[tuple[str, bool]]) -> None:
    assert pieces(text) == expected


def test_elements_of_a_bare_array() -> None:
    assert pieces('[{"a":1},2]', "") == [('{"a":1}', True), ("2", False)]
    assert pieces('[{"a":1}]\n[{"b":2}]', "") == [('{"a":1}', True), ('{"b":2}', True)]
    assert pieces('[{"a":1}] x', "") == [('{"a":1}', True), ("x", False)]


def test_a_cut_text_has_one_piece_that_is_not_whole() -> None:
    assert pieces('{"Records":[{"a":1},{"b":', cut=True) == [('{"a":1}', True), ('{"b":', False)]
    assert pieces('{"Records":[{"a":1},', cut=True) == [('{"a":1}', True)]
    assert pieces('{"Records":[{"a":1}]', cut=True) == [('{"a":1}', True)]
    assert list(split_lines("a\nb", cut=True))[-1] == ("line 2", "b", "cut off in the middle")
    assert [piece for _, piece, problem in split_lines("a\nb\n", cut=True) if problem] == []


def test_positions_count_from_one() -> None:
    found = list(split_elements('{"Records":[{},\n5,{}]} é x', "Records", cut=False))
    assert [position for position, _, _ in found] == ["record 1", "record 2", "record 3", "byte 23"]
    lines = split_lines("a\r\n\r\n \t\nb\rc\n\u2028\n", cut=False)
    expected = [("line 1", "a"), ("line 4", "b\rc"), ("line 5", "\u2028")]
    assert [(position, line) for position, line, _ in lines] == expected


RECORDS = st.lists(
    st.dictionaries(
        st.text(max_size=5),
        st.none() | st.integers() | st.text(max_size=9) | st.lists(st.text()),
        max_size=4,
    ),
    max_size=6,
)


@settings(max_examples=200, deadline=None)
@given(records=RECORDS, indent=st.sampled_from([None, 1]), ascii_only=st.booleans())
def test_elements_of_good_documents_are_their_records(
    records: list[dict[str, Any]], indent: int | None, ascii_only: bool
) -> None:
    text = json.dumps({"Records": records, "n": 1}, indent=indent, ensure_ascii=ascii_only)
    found = list(split_elements(text, "Records", cut=False))
    assert [json.loads(piece) for _, piece, problem in found if problem is None] == records
    assert not any(problem for _, _, problem in found)
    assert not any("\n" in piece for _, piece, _ in found)


@settings(max_examples=200, deadline=None)
@given(records=RECORDS, end=st.integers(0, 400), cut=st.booleans())
def test_elements_of_a_document_that_is_cut_are_a_beginning_of_its_records(
    records: list[dict[str, Any]], end: int, cut: bool
) -> None:
    text = json.dumps({"Records": records})[:end]
    found = [json.loads(p) for _, p, problem in split_elements(text, "Records", cut) if not problem]
    assert found == records[: len(found)]


@settings(max_examples=200, deadline=None)
@given(text=st.text(alphabet='{}[]",:ab \n\\', max_size=60))
def test_any_text_is_split_to_its_end(text: str) -> None:
    """No text makes it fail or run forever, and what it calls good is a JSON object."""
    for array in ("Records", ""):
        for _, piece, problem in split_elements('{"Records":[' + text, array, cut=False):
            assert problem or json_problem(piece) is None


DAMAGE = st.sampled_from([*'\0"{}[]\\\n,:x', "\ufffd"])
ENVELOPES = {
    "aws_cloudtrail": "Records",
    "azure_storage": "records",
    "kubernetes_audit": "items",
    "github_audit": "",
}


@st.composite
def damaged_documents(draw: st.DrawFn) -> tuple[str, str, list[str]]:
    """The name of the array, a document with one damaged character in it, and its records."""
    format_id = draw(st.sampled_from(sorted(ENVELOPES)))
    make = sample_records.RECORDS[format_id]
    array, inner = ENVELOPES[format_id], {"list": [{"k": 1, "v": "},{"}, {"k": 2, "v": "]}"}]}
    extra = [inner if draw(st.booleans()) else {} for _ in range(draw(st.integers(2, 60)))]
    records = [
        make(n, sample_records.NOON) | more | {"own": f"own-{n}"} for n, more in enumerate(extra)
    ]
    separators = draw(st.sampled_from([(",", ":"), (", ", ": "), (",\n", ":")]))
    document = {"a": 1, array: records, "z": {"b": [{}]}} if array else records
    text = json.dumps(document, separators=separators)
    begin = re.search(rf'"{array}"\s*:\s*\[' if array else r"\[", text)
    assert begin is not None
    place = draw(st.integers(begin.end(), len(text) - 1))
    width, sign = draw(st.sampled_from([(0, draw(DAMAGE)), (1, draw(DAMAGE)), (1, "")]))
    return array, text[:place] + sign + text[place + width :], [r["own"] for r in records]


@settings(max_examples=400, deadline=None)
@given(damaged=damaged_documents())
def test_one_bad_character_costs_one_record(damaged: tuple[str, str, list[str]]) -> None:
    """At most two where the character stands between them, and no part of one is a record."""
    array, text, owns = damaged
    found = list(split_elements(text, array, cut=False))
    records = [json.loads(piece) for _, piece, problem in found if problem is None]
    # A character of a text may have become another one, which is no damage that can be seen.
    whole = [record for record in records if "eventVersion" in record or len(record) > 3]
    assert len(whole) == len(records), "a part of a record is taken for one"
    assert len(records) >= len(owns) - 2
    lost = set(owns) - {record.get("own") for record in records}
    assert len(lost) <= 2
    bad = [piece for _, piece, problem in found if problem]
    assert len(bad) <= 2
    if len(records) < len(owns):
        assert bad
    for own in lost:
        assert len(records) == len(owns) or sum(f'{own}"' in piece for piece in bad) <= 1


@pytest.mark.parametrize("sign", ["\0", '"', "\x01", "\\u00", "", "}", "]", "{", "\n"])
def test_one_bad_byte_in_an_envelope_of_200(sail: SparkSession, tmp_path: Path, sign: str) -> None:
    text = envelope(*(trail_record(n) for n in range(200)))
    place = text.index("id-57") - 3
    spoilt = text[:place] + sign + text[place + 1 :]
    write_file(tmp_path / "raw/a.json", spoilt)
    config = job_config(tmp_path, [{"path": "raw/*"}])
    sums = run_ingest(sail, config)
    assert (sums["events"], sums["rejects"]) == (199, 1)
    (reject,) = rows_of(sail, config, REJECTS)
    assert reject["position"] == "record 58"


def test_json_problems() -> None:
    assert json_problem('{"a":1}') is None
    expected = {"5": "a number", "null": "null", "true": "a boolean", "[]": "an array"}
    for text, name in expected.items():
        assert json_problem(text) == f"not a JSON object but {name}"
    for text in ("", "{", "{'a':1}", '{"a":NaN}', '{"a":1} x', "[" * 100_000):
        assert str(json_problem(text)).startswith("not JSON: ")


def test_only_lone_surrogates_are_mended() -> None:
    whole = r'{"a":"\ud83d\ude00 \\ud83d \u00e9"}'
    assert mend_surrogates(whole) == whole
    assert mend_surrogates(r'"\ud83d \ude00\uD83D"') == '"? ??"'
    assert mend_surrogates(r'"\\\ud83d"') == r'"\\?"'


@pytest.mark.parametrize(
    "text",
    [
        '"authorization":"Bearer HIDDEN.hidden"',
        "Authorization: Bearer HIDDEN",
        '"password": "HIDDEN with spaces HIDDEN"',
        r'"body":"{\"api_key\":\"HIDDEN\",\"x\":1}"',
        "https://user:HIDDEN@example.com/x",
        "?X-Amz-Signature=HIDDEN&x=1",
        "&sig=HIDDEN%2F&sv=1",
        '"sessionToken":"HIDDEN=="',
        '"secretAccessKey": "HIDDEN/x+y"',
        "curl --token HIDDEN --x",
        "mysql --password HIDDEN",
        "PASSWORD=HIDDEN",
        "'client_secret': 'HIDDEN'",
        '"key":"-----BEGIN RSA PRIVATE KEY-----\\nHIDDEN\\nHIDDEN\\n-----END RSA PRIVATE KEY-----"',
        '"key":"-----BEGIN PRIVATE KEY-----\\nHIDDEN cut off',
        '"x":"eyJhbGciOiJI.eyJzdWIiOiIxHIDDEN.HIDDEN"',
        '"x":"ghp_HIDDENHIDDENHIDDENHIDDEN"',
        '"x":"hf_HIDDENHIDDENHIDDEN"',
    ],
)
def test_secrets_are_scrubbed(text: str) -> None:
    line = f'{{"before":1,{text},"after":2}}'
    assert "HIDDEN" not in scrub(line, 2000)
    assert scrub(line, 2000).startswith('{"before":1,')
    # Even if the line is capped in the middle of it.
    assert not any("HIDD" in scrub(line, limit) for limit in range(len(line)))


def test_scrubbed_lines_keep_what_is_no_secret() -> None:
    line = '{"eventName":"GetObject","accessKeyId":"AKIAEXAMPLE","tokens":5,"key":"a/token.json"}'
    assert scrub(line, 2000) == line
    assert scrub(line, 5) == line[:5]
    assert scrub("a\x1b[31m\x00\x85b\tc", 2000) == "a\\x1b[31m\\x00\\x85b\tc"


def read(path: Path, framing: str = "lines", limit: int = PLENTY) -> list[tuple[str, str | None]]:
    raw_file = RawFile(str(path), DAY, framing)
    return [(record.position, record.problem) for record in read_records(raw_file, limit)]


def test_a_file_that_is_too_large_is_one_reject(tmp_path: Path) -> None:
    path = write_file(tmp_path / "bomb.gz", b'{"a":1}\n' * 1000)
    reason = "more than the 4,000 bytes that `ingest.max_file_bytes` allows; the file is not read"
    assert read(path, limit=4000) == [("byte 1", reason)]


@pytest.mark.parametrize("framing", ["lines", "Records"])
def test_half_a_byte_order_mark_is_a_record(tmp_path: Path, framing: str) -> None:
    path = write_file(tmp_path / "a.json", b"\xef\xbb")
    assert len(read(path, framing)) == 1


def test_what_is_lost_at_the_end_is_named_with_its_place(tmp_path: Path) -> None:
    whole = long_lines(0, 50)
    packed = gzip.compress(whole)
    path = write_file(tmp_path / "cut.gz", packed[: len(packed) // 2], pack=False)
    found = read(path)
    good = [position for position, problem in found if problem is None]
    assert good == [f"line {number}" for number in range(1, len(good) + 1)]
    assert 15 < len(good) < 35
    assert found[len(good)] == (f"line {len(good) + 1}", "cut off in the middle")
    assert found[-1][0].startswith("byte ")
    assert found[-1][1] == "gz data end early; what follows is lost"
    assert int(found[-1][0].split()[1]) <= len(whole)


TROUBLES = {
    # Name → ids of the events, and the rejects: position and beginning of the reason.
    "cut_small.json.gz": (["1"], [("record 2", "cut off"), ("byte", "gz data end early")]),
    "several_members.json.gz": (["301", "302", "303"], []),
    "text_after_gz.json.gz": (["311"], [("byte", "text after the gz data")]),
    "zeros_after_gz.json.gz": (["321"], []),
    "not_packed.json.gz": (["331", "332"], []),
    "packed.json": (["341", "342"], []),
    "byte_order_mark.json": (["351", "352"], []),
    "marked_envelope.json": (["353"], []),
    "latin1.json": (["361", "362"], [("line 2", "not JSON")]),
    "latin1_envelope.json": (["365"], [("record 2", "not a JSON object but a number")]),
    "empty.json": ([], []),
    "empty.json.gz": ([], []),
    "blank.json": ([], []),
    "no_records.json": ([], []),
    "_hidden.json": (["371"], []),
    ".hidden.json": (["372"], []),
    "pattern[1].json": (["373"], []),
    "star*.json": (["374"], []),
    "colon:10:00.json": (["375"], []),
    "per%20cent +.json": (["376"], []),
    "back\\slash.json": (["377"], []),
    "carriage_return.json": (["381", "382"], []),
    "json_list.json": ([], [("line 1", "not a JSON object but an array")]),
}


@pytest.fixture(scope="module")
def tables(sail: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """Events and rejects of all troubled files, each a source."""
    folder = tmp_path_factory.mktemp("troubles")
    config = job_config(folder, write_troubles(folder / "raw"))
    run_ingest(sail, config)
    return rows_of(sail, config, EVENTS), rows_of(sail, config, REJECTS)


@pytest.mark.parametrize("name", TROUBLES)
def test_troubled_file(tables: tuple[Any, Any], name: str) -> None:
    events, rejects = tables
    ids, problems = TROUBLES[name]
    assert [row["event_id"] for row in events if row["source"] == name] == [f"id-{n}" for n in ids]
    found = [row for row in rejects if row["source"] == name]
    found.sort(key=lambda row: (row["position"].startswith("byte"), row["position"]))
    assert len(found) == len(problems), found
    for row, (position, reason) in zip(found, problems, strict=True):
        assert row["position"].startswith(position), row
        assert row["reason"].startswith(reason), row
        assert row["file"].endswith(f"/{name}")


def test_cut_files_keep_what_comes_before_the_cut(tables: tuple[Any, Any]) -> None:
    events, rejects = tables
    for name, first in (("cut_lines.json.gz", 1000), ("cut_envelope.json.gz", 200)):
        ids = sorted(int(row["event_id"][3:]) for row in events if row["source"] == name)
        assert ids == list(range(first, first + len(ids)))
        assert len(ids) > 30
        reasons = {row["reason"] for row in rejects if row["source"] == name}
        assert reasons == {"cut off in the middle", "gz data end early; what follows is lost"}
    damaged = [row for row in events if row["source"] == "damaged.json.gz"]
    assert len(damaged) > 50


def test_bytes_that_are_not_utf8_are_replaced(tables: tuple[Any, Any]) -> None:
    agents = {row["user_agent"] for row in tables[0] if row["source"].startswith("latin1")}
    assert agents == {"[caf\ufffd/2.15.0]", "[aws-cli/2.15.0]"}


def test_garbage_is_rejected_line_by_line(tables: tuple[Any, Any]) -> None:
    events, rejects = tables
    assert not [row for row in events if row["source"] == "garbage.json"]
    found = [row for row in rejects if row["source"] == "garbage.json"]
    assert len(found) > 5
    assert all(row["reason"].startswith("not JSON") for row in found)
    assert not any(ord(char) < 32 and char not in "\n\t" for row in found for char in row["line"])


# ---- Mixtures: whatever lies in the files, every record is somewhere, once.

GOOD_LINE, LATE_LINE, BAD_LINES = "good", "late", ["{bad", "5", "null", "{}", "[]", '{"a":}']
RECORD = (
    st.tuples(st.just(GOOD_LINE), st.integers(1, 6))
    | st.tuples(st.just(LATE_LINE), st.integers(1, 6))
    | st.tuples(st.just("bad"), st.sampled_from(BAD_LINES))
)
FILE = st.tuples(
    st.sampled_from(["lines", "envelope"]),
    st.lists(RECORD, max_size=7),
    st.sampled_from([".json", ".json.gz"]),
)


def record_text(kind: str, value: Any) -> str:
    if kind == GOOD_LINE:
        return json.dumps(trail_record(value))
    if kind == LATE_LINE:
        return json.dumps(trail_record(f"late-{value}", "2026-10-06T00:00:00Z"))
    return str(value)


def file_text(framing: str, records: list[tuple[str, Any]]) -> str:
    texts = [record_text(*record) for record in records]
    return '{"Records":[' + ",".join(texts) + "]}" if framing == "envelope" else "\n".join(texts)


@settings(
    max_examples=15,
    phases=[Phase.generate],  # to shrink a failure would take minutes
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(files=st.lists(FILE, min_size=1, max_size=3))
def test_every_record_is_somewhere_once(
    sail: SparkSession, tmp_path_factory: pytest.TempPathFactory, files: list[Any]
) -> None:
    # One that is always there, as a day without any record stops the run.
    files = [("lines", [(GOOD_LINE, 0)], ".json"), *files]
    folder = tmp_path_factory.mktemp("mixture")
    good: list[Any] = []
    late = bad = 0
    for number, (framing, records, suffix) in enumerate(files):
        write_file(folder / f"raw/{number}{suffix}", file_text(framing, records))
        for kind, value in records:
            good += [f"id-{value}"] if kind == GOOD_LINE else []
            late += kind == LATE_LINE
            bad += kind == "bad"
    config = job_config(folder, [{"path": "raw/*"}], late_days=0)
    sums = run_ingest(sail, config)
    events, rejects = rows_of(sail, config, EVENTS), rows_of(sail, config, REJECTS)
    assert [row["event_id"] for row in events] == sorted(set(good))
    assert (sums["events"], sums["rejects"]) == (len(events), len(rejects))
    assert sums["duplicates"] == len(good) - len(set(good))
    assert sums["of other days"] == late
    assert len({(row["file"], row["position"]) for row in rejects}) == len(rejects)
    # Inside an array broken records that follow each other may be taken for one.
    whole = all(framing == "lines" for framing, _, _ in files)
    assert sums["rejects"] == bad if whole else bool(sums["rejects"]) == bool(bad)
