"""Any JSON-lines or CSV log, described by ``mapping`` in the job config instead of in code.

A CSV record is one line: a quoted field may hold the separator and doubled quotes, but no line
break (such a record lands in ``rejects``).
"""

from __future__ import annotations

import re

from jobs.formats import ADDRESS, details_map, iso_time, one_a_line, quoted
from schemas.config import Mapping, Source
from schemas.fieldmaps import STEP, record_type

ENVELOPES: tuple[str, ...] = ()
PLACE = re.compile(r"\{([^{}]+)\}")


def fields(mapping: Mapping) -> tuple[str, ...]:
    """Names of all raw fields that the mapping reads, sorted."""
    values = [
        value
        for name, value in mapping
        if isinstance(value, str) and name not in ("time_format", "delimiter")
    ]
    values += list(mapping.details.values())
    names: set[str] = set()
    for value in values:
        if value.startswith("concat:"):
            names |= set(PLACE.findall(value))
        elif not value.startswith("literal:"):
            names.add(value)
    return tuple(sorted(names))


def json_type(source: Source) -> str:
    """Spark SQL type of a JSON record with the fields that the mapping reads."""
    return record_type(fields(_mapping(source)))


def is_header(line: str) -> bool:
    """A CSV log's first line always names its columns."""
    return bool(line.strip())


def record(line: str, header: str, source: Source) -> str:
    """SQL of the record struct from a CSV line in column ``line`` under that header line."""
    mapping = _mapping(source)
    separator = re.escape(mapping.delimiter).replace("\\", "\\\\")
    pattern = f'(?:^|{separator})("(?:[^"]|"")*"|[^{separator}]*)'
    parts = f"regexp_extract_all({line}, {_literal(pattern)}, 1)"
    names = [_unquoted(name.strip()) for name in header.split(mapping.delimiter)]
    entries = [f"'extra', size({parts}) - {len(names)}"]
    for name in fields(mapping):
        value = "cast(null as string)"
        if name in names:
            part = f"get({parts}, {names.index(name)})"
            value = (
                f"case when {part} like '\"%\"' then replace(substring({part}, 2, "
                f"length({part}) - 2), '\"\"', '\"') else {part} end"
            )
        entries.append(f"{quoted(name)}, {value}")
    return f"named_struct({', '.join(entries)})"


def missing_columns(header: str, source: Source) -> list[str]:
    """Fields that the mapping reads and a CSV header lacks."""
    mapping = _mapping(source)
    names = {_unquoted(name.strip()) for name in header.split(mapping.delimiter)}
    return [name for name in fields(mapping) if name not in names]


def columns(source: Source) -> dict[str, str]:
    """SQL of every parsed column; ``r`` has the raw fields, ``raw`` the record's text."""
    mapping = _mapping(source)
    action = _value(mapping.action)
    address = _value(mapping.source_ip)
    details = {name: _value(field) for name, field in sorted(mapping.details.items())}
    if mapping.object:
        details["object"] = _value(mapping.object)
    return {
        "event_id": f"coalesce({_value(mapping.event_id)}, md5(raw))",
        "event_time": _time(mapping),
        "principal": f"coalesce({_value(mapping.principal)}, 'anonymous')",
        "names": one_a_line(_value(mapping.principal)),
        "kind_hint": "cast(null as string)",
        "acting_as": _value(mapping.acting_as),
        "credential": _value(mapping.credential),
        "issued_credential": "cast(null as string)",
        "action": action,
        "action_class": _lookup(action, mapping.action_class, mapping.action_class.get("*", "other")),
        "resource": f"coalesce({_value(mapping.resource)}, concat(source_name, '://-'))",
        "destination": _value(mapping.destination),
        "bytes_out": f"try_cast(try_cast({_value(mapping.bytes_out)} as double) as bigint)",
        "source_ip": f"case when {address} rlike '{ADDRESS}' then {address} end",
        "user_agent": _value(mapping.user_agent),
        "outcome": _lookup(_value(mapping.outcome), dict(mapping.outcome_values), "unknown"),
        "details": details_map(details or {"-": "cast(null as string)"}),
        "precedence": "0",
        "problem": f"case when {action} is null then {quoted(f'no {mapping.action}')} end",
    }


def _mapping(source: Source) -> Mapping:
    if source.mapping is None:
        raise ValueError(f"source {source.name!r} has no mapping")
    return source.mapping


def _value(spec: str | None) -> str:
    """SQL of a mapping's value: a field, ``concat:…``, ``literal:…`` or nothing."""
    if spec is None:
        return "cast(null as string)"
    if spec.startswith("literal:"):
        return quoted(spec.removeprefix("literal:"))
    if not spec.startswith("concat:"):
        return _field(spec)
    pieces = PLACE.split(spec.removeprefix("concat:"))
    return f"concat({', '.join(_field(p) if n % 2 else quoted(p) for n, p in enumerate(pieces))})"


def _field(name: str) -> str:
    """SQL of a raw field; empty text is no value."""
    steps = ".".join(f"`{step.strip(chr(34)).replace('`', '``')}`" for step in STEP.findall(name))
    return f"nullif(r.{steps}, '')"


def _time(mapping: Mapping) -> str:
    value = _value(mapping.time)
    if mapping.time_format == "epoch_s":
        return f"try_cast(try_cast({value} as double) as timestamp)"
    if mapping.time_format == "epoch_ms":
        return f"try_cast(try_cast({value} as double) / 1000 as timestamp)"
    if mapping.time_format:
        parsed = f"try_to_timestamp({value}, {quoted(mapping.time_format)})"
        return f"to_utc_timestamp({parsed}, timezone)"
    has_zone = f"{value} rlike '(Z|[+-][0-9]{{2}}:?[0-9]{{2}})$'"
    parsed = iso_time(value)
    return f"case when {has_zone} then {parsed} else to_utc_timestamp({parsed}, timezone) end"


def _lookup(value: str, table: dict[str, str], otherwise: str) -> str:
    cases = " ".join(
        f"when {value} = {quoted(key)} then {quoted(result)}"
        for key, result in sorted(table.items())
        if key != "*"
    )
    return f"case {cases} else {quoted(otherwise)} end" if cases else quoted(otherwise)


def _literal(pattern: str) -> str:
    return "'" + pattern.replace("'", "\\'") + "'"


def _unquoted(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') and name.endswith('"') else name
