"""Any JSON-lines or CSV log, described by ``mapping`` in the job config instead of in code.

A CSV record is one line: a quoted field may hold the separator and doubled quotes, but no line
break (such a record lands in ``rejects``).
"""

from __future__ import annotations

import csv
import re
from typing import Any

from jobs.stages.ingest.addresses import address
from jobs.stages.ingest.formats.log_format import JsonRecords, LogFormat, TextRows
from jobs.stages.ingest.time_pattern_sql import time_of_steps, time_steps, unknown_zone
from jobs.stages.sql import (
    EMPTY,
    NO_TEXT,
    UNKNOWN_ACTION,
    byte_count,
    details_json,
    epoch_ms_time,
    one_a_line,
    quoted,
    zoned_time,
)
from schemas.formats.field_map import STEP, field_tree, record_type
from schemas.sources import EPOCHS, Mapping, Source
from schemas.time_pattern import read_time_pattern

PLACE = re.compile(r"\{([^{}]+)\}")
MARK = "\x1f"
# No alternative inside a repetition: Java would recurse for it and overflow its stack.
CELL = '"[^"]*(?:""[^"]*)*"'
QUOTED = f"^{CELL}$"


def fields(mapping: Mapping) -> tuple[str, ...]:
    """Names of all raw fields that the mapping reads, sorted."""
    values = [
        value
        for name, value in mapping
        if isinstance(value, str) and name not in ("time_format", "delimiter")
    ]
    return _fields_of([*values, *mapping.details.values()])


def json_type(source: Source) -> str:
    """Spark SQL type of a JSON record with the fields that the mapping reads."""
    return record_type(fields(_mapping(source)))


def is_json(head: str, source: Source) -> bool:
    """Whether a file with this beginning holds JSON lines; the first may be broken."""
    lines = [line for line in head.split("\n") if line.strip()]
    objects = [line.lstrip().startswith("{") for line in lines]
    if not any(objects):
        return False
    return objects[0] or header_problem(lines[0].rstrip("\r"), source) is not None


def header_problem(header: str, source: Source) -> str | None:
    """Message with the required columns that a CSV header lacks; None if it has all."""
    mapping = _mapping(source)
    names = _names(header, mapping)
    needed = _fields_of([mapping.time, mapping.principal, mapping.action, mapping.resource])
    missing = [name for name in needed if name.replace('"', "") not in names]
    if not missing:
        return None
    return f"the first line of the file names no column {', '.join(map(repr, missing))}"


def missing_fields(header: str, source: Source) -> list[str]:
    """Fields that the mapping reads and a CSV header lacks."""
    mapping = _mapping(source)
    names = _names(header, mapping)
    return [name for name in fields(mapping) if name.replace('"', "") not in names]


def parts(line: str, header: str, source: Source) -> str:
    """SQL of whether a CSV line needs the slow pattern.

    A line without quotes does not, nor one whose quotes only surround fields, as many as the
    header's.
    """
    return f"instr({line}, '\"') > 0 and not {line} rlike {_simple(header, source)}"


def joined_parts(line: str, header: str, source: Source) -> str:
    """SQL of an array of a CSV line's cells, quotes included; null if quotes do not match.

    A pattern that extracts every field is slow. Where quotes only surround fields, it is enough to
    mark the separators outside quotes. The pattern finds each field by the separator before it, so
    the line gets one in front.
    """
    separator = _mapping(source).delimiter
    escaped = _escaped(separator)
    pattern = f"[{escaped}]({CELL}|[^{escaped}]*)"
    found = f"regexp_extract_all(concat({quoted(separator)}, {line}), {quoted(pattern)}, 1)"
    # Text that the pattern skipped fits no field.
    skipped = f"length(array_join({found}, {quoted(separator)})) <> length({line})"
    half_quoted = f"exists({found}, p -> p like '\"%' and not p rlike {quoted(QUOTED)})"
    marked = (
        f"array_join(transform(split({line}, '\"'), (p, n) -> if(n % 2 = 0, "
        f"replace(p, {quoted(separator)}, '{MARK}'), p)), '\"')"
    )
    return (
        f"case when parts then case when not ({skipped} or {half_quoted}) then {found} end "
        f"when instr({line}, '\"') = 0 then split({line}, {quoted(re.escape(separator))}) "
        f"else split({marked}, '{MARK}') end"
    )


def record(line: str, header: str, source: Source) -> str:
    """SQL of the record struct from a CSV line in column ``line`` under that header line."""
    mapping = _mapping(source)
    names = _names(header, mapping)
    values = {}
    for name in fields(mapping):
        plain = name.replace('"', "")
        values[name] = NO_TEXT
        if plain in names:
            part = f"get(parts, {names.index(plain)})"
            values[name] = (
                f"case when {part} like '\"%\"' then replace(substring({part}, 2, "
                f"length({part}) - 2), '\"\"', '\"') else {part} end"
            )
    return _nested(field_tree(fields(mapping)), values, ())


def fault(line: str, header: str, source: Source) -> str:
    """SQL of why a CSV line does not fit its header; null if it does."""
    count = len(_names(header, _mapping(source)))
    return (
        "case when parts is null then 'quotes that do not match' "
        f"when size(parts) < {count} then 'fewer fields than the header names' "
        f"when size(parts) > {count} then 'more fields than the header names' end"
    )


def derived(source: Source) -> tuple[dict[str, str], ...]:
    """SQL by name of the steps to the time, if the config gives a pattern for it."""
    mapping = _mapping(source)
    if mapping.time_format in (None, *EPOCHS):
        return ()
    return time_steps(_value(mapping.time), read_time_pattern(mapping.time_format))


def columns(source: Source) -> dict[str, str]:
    """SQL of every parsed column; ``r`` has the raw fields, ``raw`` the record's text."""
    mapping = _mapping(source)
    action = _value(mapping.action)
    classes_else = mapping.action_class.get("*", "other")
    details = {name: _value(field) for name, field in sorted(mapping.details.items())}
    if "*" not in mapping.action_class:
        known = ", ".join(map(quoted, sorted(mapping.action_class)))
        details[UNKNOWN_ACTION] = f"case when {action} not in ({known or EMPTY}) then {action} end"
    return {
        "event_id": f"coalesce({_value(mapping.event_id)}, md5(raw))",
        "event_time": _time(mapping),
        "principal": f"coalesce({_value(mapping.principal)}, 'anonymous')",
        "names": one_a_line(_value(mapping.principal)),
        "kind_hint": NO_TEXT,
        "acting_as": _value(mapping.acting_as),
        "credential": _value(mapping.credential),
        "issued_credential": NO_TEXT,
        "action": action,
        "action_class": _lookup(action, mapping.action_class, classes_else),
        "resource": f"coalesce({_value(mapping.resource)}, concat(source_name, '://-'))",
        "object": _value(mapping.object),
        "destination": _value(mapping.destination),
        "bytes_out": byte_count(_value(mapping.bytes_out)),
        "source_ip": address(_value(mapping.source_ip)),
        "user_agent": _value(mapping.user_agent),
        "outcome": _lookup(_value(mapping.outcome), dict(mapping.outcome_values), "unknown"),
        "details": details_json(details),
        "precedence": "0",
        "problem": _problem(mapping),
    }


def _mapping(source: Source) -> Mapping:
    if source.mapping is None:
        raise ValueError(f"source {source.name!r} has no mapping")
    return source.mapping


def _fields_of(values: list[str]) -> tuple[str, ...]:
    names: set[str] = set()
    for value in values:
        if value.startswith("concat:"):
            names |= set(PLACE.findall(value))
        elif not value.startswith("literal:"):
            names.add(value)
    return tuple(sorted(names))


def _value(spec: str | None) -> str:
    """SQL of a mapping's value: a field, ``concat:…``, ``literal:…`` or nothing."""
    if spec is None:
        return NO_TEXT
    if spec.startswith("literal:"):
        return quoted(spec.removeprefix("literal:"))
    if not spec.startswith("concat:"):
        return _field(spec)
    pieces = PLACE.split(spec.removeprefix("concat:"))
    values = [_field(piece) for piece in pieces[1::2]]
    texts = [f"coalesce({_field(p)}, '')" if n % 2 else quoted(p) for n, p in enumerate(pieces)]
    text = f"concat({', '.join(texts)})"
    if not values:
        return text
    return f"case when coalesce({', '.join(values)}) is not null then {text} end"


def _field(name: str) -> str:
    """SQL of a raw field; empty text is no value."""
    steps = ".".join(f"`{step.strip(chr(34)).replace('`', '``')}`" for step in STEP.findall(name))
    return f"nullif(r.{steps}, '')"


def _time(mapping: Mapping) -> str:
    value = _value(mapping.time)
    if mapping.time_format == "epoch_s":
        return epoch_ms_time(f"round(try_cast({value} as double) * 1000)")
    if mapping.time_format == "epoch_ms":
        return epoch_ms_time(value)
    if mapping.time_format:
        return time_of_steps(read_time_pattern(mapping.time_format))
    return zoned_time(value)


def _problem(mapping: Mapping) -> str:
    """SQL of why a record is not understood: it names no action, or an unknown time zone."""
    problem = f"when {_value(mapping.action)} is null then {quoted(f'no {mapping.action}')}"
    if mapping.time_format not in (None, *EPOCHS):
        zone = unknown_zone(read_time_pattern(mapping.time_format))
        problem += f" else concat('no time zone that is known: ', {zone})"
    return f"case {problem} end"


def _lookup(value: str, table: dict[str, str], otherwise: str) -> str:
    cases = " ".join(
        f"when {value} = {quoted(key)} then {quoted(result)}"
        for key, result in sorted(table.items())
        if key != "*"
    )
    return f"case {cases} else {quoted(otherwise)} end" if cases else quoted(otherwise)


def _names(header: str, mapping: Mapping) -> list[str]:
    # Module `csv` refuses a lone carriage return; here it is an ordinary character.
    row = header.replace("\r", " ")
    return [name.strip() for name in next(csv.reader([row], delimiter=mapping.delimiter), [])]


def _escaped(separator: str) -> str:
    """A separator within a pattern's character class."""
    return f"\\{separator}" if separator in r"\[]^-&~" else separator


def _simple(header: str, source: Source) -> str:
    """SQL of the pattern of a line with as many fields as its header and quotes only around them.

    Engines split these lines fastest.
    """
    mapping = _mapping(source)
    escaped = _escaped(mapping.delimiter)
    cell = f'(?:"[^"{MARK}]*"|[^"{MARK}{escaped}]*)'
    others = len(_names(header, mapping)) - 1
    return quoted(rf"^{cell}(?:[{escaped}]{cell}){{{others}}}\z")


def _nested(tree: dict[str, Any], values: dict[str, str], parents: tuple[str, ...]) -> str:
    """SQL of nested structs with the SQL ``values`` of dotted fields at the leaves."""
    by_steps = {tuple(step.strip('"') for step in STEP.findall(n)): v for n, v in values.items()}
    members = []
    for name, below in tree.items():
        steps = (*parents, name)
        value = by_steps[steps] if below is None else _nested(below, values, steps)
        members += [quoted(name), value]
    return f"named_struct({', '.join(members)})"


LOG_FORMAT = LogFormat(
    columns=columns,
    json=JsonRecords(
        type=json_type,
    ),
    text=TextRows(
        record=record,
        fault=fault,
        is_json=is_json,
        header_problem=header_problem,
        parts=parts,
        joined_parts=joined_parts,
    ),
    keeps_text=True,
    derived_by_source=derived,
    missing_fields=missing_fields,
)
