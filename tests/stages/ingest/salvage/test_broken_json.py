"""Damaged JSON documents are split into their records; few records are lost."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.stages.ingest.salvage.broken_json import json_problem, split_elements, split_lines
from schemas.tables.events import REJECTS
from tests.worlds import sample_records
from tests.worlds.raw_logs import (
    envelope,
    job_config,
    rows_of,
    run_ingest,
    trail_record,
    write_file,
)

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

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
        # As written, with its numbers and keys unchanged.
        ('{"Records":[{"a":89.0,"a":1e3}]}', [('{"a":89.0,"a":1e3}', True)]),
        ('{"x":{"y":[1]},"Records":[{}],"z":[1]}', [("{}", True)]),
        # Elements that are not objects.
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
        # A bracket put into a record does not make a record of the rest of it.
        (
            '{"Records":[{"a":1,"b":2,"c":"a longer text"},{"a":1,{"b":2,"c":3}]}',
            [('{"a":1,"b":2,"c":"a longer text"}', True), ('{"a":1,{"b":2,"c":3}', False)],
        ),
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
    """No text makes it fail or run forever, and every good piece is a JSON object."""
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
