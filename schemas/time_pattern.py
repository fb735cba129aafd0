"""Spark datetime patterns of ``time_format``, translated so that all engines read them alike.

A pattern becomes one regular expression that Rust and Java both know, with a group for each part
of a time. No engine gets the pattern itself, because engines disagree about the letters for zones,
text and fractions.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, groupby
from zoneinfo import available_timezones

MONTHS = (
    "January February March April May June July August September October November December"
).split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
OFFSET = "[+-][0-9]{1,2}(?::?[0-9]{2}){0,2}"
LOCALIZED = f"(?:GMT|UTC|UT)(?:{OFFSET})?"
REGION = "[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+)+"
ZONE_ID = f"Z|{OFFSET}|{LOCALIZED}|{REGION}"
META = frozenset("\\.+*?()|[]{}^$")

ZONE_NAMES = {
    -660: "SST|Samoa Standard Time",
    -600: "HST|Hawaii-Aleutian Standard Time",
    -540: "AKST|Alaska Standard Time|HDT|Hawaii-Aleutian Daylight Time",
    -480: "PST|Pacific Standard Time|AKDT|Alaska Daylight Time",
    -420: "MST|Mountain Standard Time|PDT|Pacific Daylight Time",
    -360: "CST|Central Standard Time|MDT|Mountain Daylight Time",
    -300: "EST|Eastern Standard Time|CDT|Central Daylight Time|COT|Colombia Standard Time|"
    "PET|Peru Standard Time",
    -240: "AST|Atlantic Standard Time|EDT|Eastern Daylight Time|CLT|Chile Standard Time",
    -210: "NST|Newfoundland Standard Time",
    -180: "ADT|Atlantic Daylight Time|BRT|Brasilia Standard Time|ART|Argentina Standard Time|"
    "CLST|Chile Summer Time|UYT|Uruguay Standard Time",
    -150: "NDT|Newfoundland Daylight Time",
    0: "Z|UTC|UT|GMT|WET|Coordinated Universal Time|Greenwich Mean Time|"
    "Western European Standard Time|Western European Time",
    60: "CET|Central European Standard Time|Central European Time|MET|Middle Europe Time|"
    "WEST|Western European Summer Time|BST|British Summer Time|WAT|West Africa Standard Time",
    120: "CEST|Central European Summer Time|MEST|Middle Europe Summer Time|EET|"
    "Eastern European Standard Time|Eastern European Time|CAT|Central Africa Time|"
    "SAST|South Africa Standard Time|Israel Standard Time",
    180: "EEST|Eastern European Summer Time|MSK|Moscow Standard Time|EAT|East Africa Time|"
    "IDT|Israel Daylight Time|TRT|Turkey Time",
    240: "MSD|Moscow Summer Time|GST|Gulf Standard Time",
    300: "PKT|Pakistan Standard Time",
    330: "IST|India Standard Time",
    345: "NPT|Nepal Time",
    420: "ICT|Indochina Time|WIB|Western Indonesia Time",
    480: "SGT|Singapore Standard Time|HKT|Hong Kong Standard Time|China Standard Time|"
    "AWST|Australian Western Standard Time|PHT|Philippine Standard Time|WITA|"
    "Central Indonesia Time",
    540: "JST|Japan Standard Time|KST|Korean Standard Time|WIT|Eastern Indonesia Time",
    570: "ACST|Australian Central Standard Time",
    600: "AEST|Australian Eastern Standard Time|CHST|Chamorro Standard Time",
    630: "ACDT|Australian Central Daylight Time",
    660: "AEDT|Australian Eastern Daylight Time",
    720: "NZST|New Zealand Standard Time",
    780: "NZDT|New Zealand Daylight Time",
}
"""Minutes east of UTC → names of zones. A name has one offset all year. Some names have several
meanings: here CST and MST are North America's, IST India's, BST Britain's, AST the Atlantic's."""

REGIONS = tuple(
    sorted(
        name
        for name in available_timezones()
        if "/" in name and not name.startswith(("posix/", "right/", "SystemV/"))
    )
)
"""Time-zone ids of the IANA database, such as `Europe/Berlin`."""

YEAR, SHORT_YEAR, MONTH, MONTH_NAME, DAY, DAY_OF_YEAR = "y", "yy", "M", "MMM", "d", "D"
HALF, HOUR, CLOCK_HOUR, HALF_HOUR, CLOCK_HALF_HOUR = "a", "H", "k", "K", "h"
MINUTE, SECOND, FRACTION, ZONE, ZONE_NAME = "m", "s", "S", "offset", "zone"
FIELDS = (
    *(YEAR, SHORT_YEAR, MONTH, MONTH_NAME, DAY, DAY_OF_YEAR),
    *(HALF, HOUR, CLOCK_HOUR, HALF_HOUR, CLOCK_HALF_HOUR),
    *(MINUTE, SECOND, FRACTION, ZONE, ZONE_NAME),
)
"""Parts of a time that a pattern may name."""


@dataclass(frozen=True)
class TimePattern:
    """A regular expression for a whole text, and the numbers of its groups by part of the time.

    A part has several groups if optional sections name it more than once.
    """

    regex: str
    groups: dict[str, tuple[int, ...]]

    @property
    def zoned(self) -> bool:
        """True if the text names its zone."""
        return ZONE in self.groups or ZONE_NAME in self.groups


def read_time_pattern(pattern: str) -> TimePattern:
    """Translates a Spark datetime pattern.

    Raises ValueError with every part of the pattern that no engine can read.
    """
    regex, problems, depth = "", [], 0
    groups: dict[str, tuple[int, ...]] = {}
    for kind, text in _tokens(pattern):
        if kind == "literal":
            regex += "".join(f"\\{char}" if char in META else char for char in text)
        elif kind == "[":
            regex, depth = f"{regex}(?:", depth + 1
        elif kind == "]":
            regex, depth = f"{regex})?", depth - 1
        elif kind == "letters":
            part, inner = _part(text)
            if part is None:
                regex += inner
            elif not inner:
                problems.append(f"{text!r} cannot be read from a text")
            else:
                groups[part] = (*groups.get(part, ()), len([*chain(*groups.values())]) + 1)
                regex += f"({inner})"
        else:
            problems.append(text)
        if depth < 0:
            problems.append("a ] without its [")
            depth = 0
    if depth:
        problems.append("a [ without its ]")
    problems += [] if problems else _missing(groups)
    if problems:
        raise ValueError("; ".join(problems))
    return TimePattern(f"(?i)^{regex}$", groups)


def _tokens(pattern: str) -> list[tuple[str, str]]:
    """Literals, runs of one letter, brackets and faults of a pattern, in order."""
    tokens: list[tuple[str, str]] = []
    pieces = pattern.split("'")
    if len(pieces) % 2 == 0:
        return [("fault", "a quote ' without its second")]
    for place, piece in enumerate(pieces):
        if place % 2:
            # Two quotes are one quote.
            tokens.append(("literal", piece or "'"))
            continue
        if place and not piece and place < len(pieces) - 1:
            # Two quotes within quoted text.
            tokens.append(("literal", "'"))
        for char, run in groupby(piece):
            text = "".join(run)
            if char.isascii() and char.isalpha():
                tokens.append(("letters", text))
            elif char in "[]":
                tokens += [(char, char)] * len(text)
            elif char in "{}#":
                tokens.append(("fault", f"{char!r} is reserved; put it in quotes '"))
            else:
                tokens.append(("literal", text))
    return tokens


def _part(letters: str) -> tuple[str | None, str]:  # noqa: C901, PLR0912  # a line a letter
    """The part of a time for a run of one letter, and the regular expression of its text.

    The part is None for text without a meaning for the time, such as a weekday. The expression is
    empty if no text can be read.
    """
    letter, width = letters[0], len(letters)
    number = "[0-9]{2}" if width == 2 else "[0-9]{1,2}" if width == 1 else ""
    short, whole = width == 3, width == 4
    match letter:
        case "y":
            return (SHORT_YEAR, number) if width == 2 else (YEAR, "[0-9]{4}")
        case "M" | "L" if short or whole:
            return MONTH_NAME, "|".join(name if whole else name[:3] for name in MONTHS)
        case "M" | "L":
            return MONTH, number
        case "D":
            return DAY_OF_YEAR, "[0-9]{3}" if short else "[0-9]{1,3}"
        case "E":
            return None, f"(?:{'|'.join(name if whole else name[:3] for name in DAYS)})"
        case "G":
            return None, "(?:AD|A|Anno Domini)"
        case "a":
            return HALF, "[AP]M" if width == 1 else ""
        case "S":
            return FRACTION, f"[0-9]{{1,{width}}}"
        case "V":
            return ZONE_NAME, ZONE_ID if width == 2 else ""
        case "z":
            return ZONE_NAME, f"{ZONE_ID}|[A-Za-z][A-Za-z -]*[A-Za-z]"
        case "O":
            return ZONE, LOCALIZED
        case "Z":
            return ZONE, LOCALIZED if whole else f"Z|{OFFSET}"
        case "X":
            return ZONE, f"Z|{OFFSET}"
        case "x":
            return ZONE, OFFSET
        case "d" | "H" | "h" | "K" | "k" | "m" | "s":
            return letter, number
    return letter, ""


def _missing(groups: dict[str, tuple[int, ...]]) -> list[str]:
    """Parts that a pattern must name and does not."""
    month, day = groups.keys() & {MONTH, MONTH_NAME}, groups.keys() & {DAY}
    dated = DAY_OF_YEAR in groups or (month and day)
    if dated and groups.keys() & {YEAR, SHORT_YEAR}:
        return []
    return ["a time needs a year, a month and a day (y, M, d; or y, D)"]
