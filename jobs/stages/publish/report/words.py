"""Chances, times and names in words for the report; amounts are in models.wording."""

from __future__ import annotations

from datetime import UTC, date, datetime

from schemas.finding import SEVERITIES

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
"""Independent of the locale, so that the same findings give the same bytes everywhere."""


def say_chance(p_value: float) -> str:
    """``1 in 12,000``: share of comparable windows without an attack that show as much."""
    if p_value <= 0:
        return "never seen"
    if p_value > 0.1:
        return f"{p_value * 100:.0f} in 100"
    times = 1 / p_value
    unit = 10 ** max(0, len(str(int(times))) - 2)
    return f"1 in {round(times / unit) * unit:,}"


def say_severity(severity: int) -> str:
    """``Critical`` for 4."""
    return SEVERITIES[severity - 1].capitalize()


def say_day(day: date) -> str:
    """``31 Oct 2026``."""
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def say_short_day(day: date) -> str:
    """``31 Oct``."""
    return f"{day.day} {MONTHS[day.month - 1]}"


def say_span(start: str, end: str) -> str:
    """Two ISO times as ``29 Oct 09:00 – 31 Oct 15:00 UTC``."""
    first, last = parse_time(start), parse_time(end)
    begin = f"{say_short_day(first.date())} {first:%H:%M}"
    if first == last:
        return f"{begin} UTC"
    finish = f"{last:%H:%M}"
    if first.date() != last.date():
        finish = f"{say_short_day(last.date())} {finish}"
    return f"{begin} – {finish} UTC"


def parse_time(text: str) -> datetime:
    """An ISO 8601 time in UTC."""
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def say_detector(name: str) -> str:
    """``shard_coverage`` as ``Shard coverage``."""
    return name.replace("_", " ").capitalize()


def shorten(text: str, most: int) -> str:
    """The text's beginning and end with an ellipsis between, at most ``most`` characters."""
    if len(text) <= most:
        return text
    tail = most // 3
    return f"{text[: most - tail - 1]}…{text[-tail:]}"


def say_points(points: float) -> str:
    """A score or a part of it; one decimal digit unless it is whole."""
    return f"{points:.1f}".removesuffix(".0")
