"""Numbers and names as an investigator reads them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from schemas.tables.values import WINDOW_DAYS

BYTE_UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
NAMES_SHOWN = 3


def say_bytes(value: float) -> str:
    """Decimal units with three figures: 1.23 TB, 412 MB, 17 B."""
    step = 0
    while value >= 999.5 and step < len(BYTE_UNITS) - 1:
        value, step = value / 1000, step + 1
    return f"{value:.3g} {BYTE_UNITS[step]}"


def say_taken(known: int | None, estimated: int | None) -> str:
    """Bytes of one asset: those that logs tell, and an estimate of the others."""
    said = [] if known is None else [say_bytes(known)]
    if estimated is not None:
        comma = "" if said else ","
        said.append(f"about {say_bytes(estimated)}{comma} estimated from the asset's size")
    return " and ".join(said) or "not known"


def say_count(value: float) -> str:
    """Whole numbers with separators, small fractions with two figures."""
    if value >= 10 or float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:.2g}"


def say_share(value: float) -> str:
    """0–1 as a percentage; never 100 % while something is missing."""
    percent = 100 * value
    if percent >= 1:
        return f"{math.floor(percent + 1e-9)} %"
    return f"{percent:.1g} %" if percent > 0 else "0 %"


def say_amount(value: float, unit: str) -> str:
    """A number with its unit."""
    if unit == "bytes":
        return say_bytes(value)
    if unit == "share":
        return say_share(value)
    singular = {"repositories": "repository", "identities": "identity"}.get(unit, unit[:-1])
    return f"{say_count(value)} {singular if value == 1 else unit}"


def say_times(observed: float, expected: float) -> str:
    """How many times as much; empty where that says nothing."""
    if expected <= 0 or observed / expected < 1.05:
        return ""
    return f"{say_count(float(f'{observed / expected:.2g}'))} times as much"


def say_names(names: Sequence[str], shown: int = NAMES_SHOWN) -> str:
    """The first names and how many more there are."""
    if len(names) <= shown:
        return ", ".join(names)
    return f"{', '.join(names[:shown])} and {len(names) - shown} more"


def say_likelihood(value: float) -> str:
    """A probability with one figure."""
    return f"{value:.1g}"


def say_clock(hour: int) -> str:
    """An hour of the day: ``08 UTC``."""
    return f"{hour:02d} UTC"


def say_days(days: int) -> str:
    """Length of a window."""
    return "one day" if days == 1 else f"{days} days"


def say_window(window: str) -> str:
    """A window of WINDOWS: ``one hour``, ``one day``, ``7 days``."""
    return "one hour" if window == "1h" else say_days(WINDOW_DAYS[window])
