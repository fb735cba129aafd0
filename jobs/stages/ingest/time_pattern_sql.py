"""SQL of times by the datetime patterns of ``time_format``."""

from __future__ import annotations

from jobs.stages.sql import NO_TEXT, iso_time, month_number, quoted
from schemas.time_pattern import (
    CLOCK_HALF_HOUR,
    CLOCK_HOUR,
    DAY,
    DAY_OF_YEAR,
    FIELDS,
    FRACTION,
    HALF,
    HALF_HOUR,
    HOUR,
    MINUTE,
    MONTH,
    MONTH_NAME,
    REGIONS,
    SECOND,
    SHORT_YEAR,
    YEAR,
    ZONE,
    ZONE_NAME,
    ZONE_NAMES,
    TimePattern,
)

MARK = "\x1f"
PARTS, LOCAL, NAMED_ZONE, OFFSET_SECONDS = "time_parts", "local_time", "named_zone", "zone_seconds"
OFFSET_PARTS = "^(?:GMT|UTC|UT)?([+-])([0-9]{1,2}):?([0-9]{2})?:?([0-9]{2})?$"


def time_steps(text: str, pattern: TimePattern) -> tuple[dict[str, str], ...]:
    """SQL by name of the steps from SQL ``text`` to a time, for ``DERIVED`` of a format.

    :func:`time_of_steps` and :func:`unknown_zone` are made of them.
    """
    fields = [field for field in FIELDS if field in pattern.groups]
    groups = ["".join(f"${group}" for group in pattern.groups[field]) for field in fields]
    # The mark in front shows that the pattern matched; other text stays as it is.
    marked = quoted(MARK + MARK.join(groups))
    parts = f"split(regexp_replace({text}, {quoted(pattern.regex)}, {marked}), '{MARK}')"
    values = {field: f"get({PARTS}, {place})" for place, field in enumerate(fields, start=1)}
    local = {
        LOCAL: f"case when get({PARTS}, 0) = '' then {iso_time(_iso_text(values))} end",
        NAMED_ZONE: f"case when get({PARTS}, 0) = '' "
        f"then {_first(values, ZONE_NAME, ZONE, default=NO_TEXT)} end",
    }
    return {PARTS: parts}, local, {OFFSET_SECONDS: _offset_seconds(NAMED_ZONE, pattern)}


def time_of_steps(pattern: TimePattern) -> str:
    """SQL of a UTC timestamp, local in ``timezone`` unless the text names a zone.

    Null for text that does not fit the pattern, is no time, or names an unknown zone.
    """
    local = f"to_utc_timestamp({LOCAL}, timezone)"
    if not pattern.zoned:
        return local
    shift = f"cast({OFFSET_SECONDS} as bigint) * 1000000"
    shifted = f"timestamp_micros(unix_micros({LOCAL}) - {shift})"
    region = f"when {NAMED_ZONE} in ({_regions()}) then to_utc_timestamp({LOCAL}, {NAMED_ZONE}) "
    return (
        f"case when {NAMED_ZONE} is null then {local} "
        f"when {OFFSET_SECONDS} is not null then {shifted} "
        f"{region if ZONE_NAME in pattern.groups else ''}end"
    )


def unknown_zone(pattern: TimePattern) -> str:
    """SQL of a zone that a text names and no table lists; null otherwise."""
    if ZONE_NAME not in pattern.groups:
        return NO_TEXT
    known = f"{OFFSET_SECONDS} is not null or {NAMED_ZONE} in ({_regions()})"
    return f"case when {NAMED_ZONE} is not null and not ({known}) then {NAMED_ZONE} end"


def _first(values: dict[str, str], *fields: str, default: str) -> str:
    """SQL of the first of these parts that the text has, else ``default``."""
    given = [f"nullif({values[field]}, '')" for field in fields if field in values]
    return f"coalesce({', '.join([*given, default])})"


def _iso_text(values: dict[str, str]) -> str:
    """SQL of `YYYY-MM-DD HH:MM:SS.F` from the parts of a time; null if a part is not a number."""
    short = f"concat('20', nullif({values[SHORT_YEAR]}, ''))" if SHORT_YEAR in values else "null"
    year = _first(values, YEAR, default=short)
    name = f"initcap(substring({values[MONTH_NAME]}, 1, 3))" if MONTH_NAME in values else ""
    named = f"nullif(cast({month_number(name)} as string), '0')" if name else "'1'"
    month = _first(values, MONTH, default=named)
    day = _first(values, DAY, default="'1'")
    date = f"concat({year}, '-', lpad({month}, 2, '0'), '-', lpad({day}, 2, '0'))"
    if DAY_OF_YEAR in values:
        days = f"try_cast({values[DAY_OF_YEAR]} as int)"
        counted = (
            f"cast(date_add(try_cast(concat({year}, '-01-01') as date), {days} - 1) as string)"
        )
        date = f"case when {days} > 0 and left({counted}, 4) = {year} then {counted} end"
    clock = ", ':', ".join(
        f"lpad({value}, 2, '0')"
        for value in (
            _hour(values),
            _first(values, MINUTE, default="'0'"),
            # A leap second is the second before it.
            f"replace({_first(values, SECOND, default=quoted('0'))}, '60', '59')",
        )
    )
    return f"concat({date}, ' ', {clock}, '.', {_first(values, FRACTION, default=quoted('0'))})"


def _hour(values: dict[str, str]) -> str:
    """SQL of the hour, 0 to 23, as text. Without am or pm a 12-hour time is in the morning."""
    afternoon = f"if(lower({values[HALF]}) = 'pm', 12, 0)" if HALF in values else "0"
    hours = [
        f"nullif({values[HOUR]}, '')" if HOUR in values else "",
        f"cast({_within(values[CLOCK_HOUR], 1, 24)} % 24 as string)"
        if CLOCK_HOUR in values
        else "",
    ]
    for field, least in ((CLOCK_HALF_HOUR, 1), (HALF_HOUR, 0)):
        if field in values:
            hour = _within(values[field], least, least + 11)
            hours.append(f"cast({hour} % 12 + {afternoon} as string)")
    given = [hour for hour in hours if hour]
    # An hour out of range is no time; a missing hour is midnight.
    there = " or ".join(
        f"nullif({values[field]}, '') is not null"
        for field in (HOUR, CLOCK_HOUR, CLOCK_HALF_HOUR, HALF_HOUR)
        if field in values
    )
    return f"case when {there} then coalesce({', '.join(given)}) else '0' end" if given else "'0'"


def _within(text: str, least: int, most: int) -> str:
    """SQL of the number in ``text``; null outside these bounds."""
    number = f"try_cast({text} as int)"
    return f"case when {number} between {least} and {most} then {number} end"


def _offset_seconds(zone: str, pattern: TimePattern) -> str:
    """SQL of the seconds east of UTC of a zone given by an offset or a name; null for others."""
    digits = [
        f"coalesce(try_cast(regexp_extract(upper({zone}), '{OFFSET_PARTS}', {group}) as int), 0)"
        for group in (2, 3, 4)
    ]
    amount = " + ".join(
        f"{part} * {unit}" for part, unit in zip(digits, (3600, 60, 1), strict=True)
    )
    sign = f"if({zone} like '%-%', -1, 1)"
    tables = ZONE_NAMES if ZONE_NAME in pattern.groups else {0: "Z|UTC|UT|GMT"}
    named = " ".join(
        f"when upper({zone}) in ({', '.join(quoted(name.upper()) for name in names.split('|'))}) "
        f"then {minutes * 60}"
        for minutes, names in tables.items()
    )
    return f"case {named} when upper({zone}) rlike '{OFFSET_PARTS}' then {sign} * ({amount}) end"


def _regions() -> str:
    return ", ".join(map(quoted, REGIONS))
