"""Text for a terminal. Attackers choose the values in logs, so no value is printed raw."""

from __future__ import annotations

import re
from collections.abc import Sequence

MAX_CELL_CHARS = 60
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def printable(text: str) -> str:
    """``text`` with every control, format and line-breaking character as its escape.

    An escape sequence could rewrite the screen, a bidirectional mark could reverse the text, and a
    line break could forge a line.
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else ascii(character)[1:-1] for character in text
    )


def one_line_of(text: str) -> str:
    """``text`` as one line with single spaces, and without the colours that some libraries add."""
    return " ".join(COLOURS.sub("", text).split())


def cut(text: str, length: int = MAX_CELL_CHARS) -> str:
    """At most ``length`` characters, with an ellipsis in place of the rest.

    Prose loses its end. A path or URI loses its middle, because its end matters most.
    """
    if len(text) <= length:
        return text
    if " " in text:
        return text[: length - 1] + "…"
    end = (length - 1) // 2
    return f"{text[: length - 1 - end]}…{text[len(text) - end :]}"


def plain_table(
    header: Sequence[str],
    rows: Sequence[Sequence[object]],
    widths: dict[str, int] | None = None,
) -> str:
    """A table of aligned columns, numbers to the right; None is an empty cell.

    ``widths``: name of a column → most characters of its cells (default 60).
    """
    limits = [(widths or {}).get(name, MAX_CELL_CHARS) for name in header]
    cells = [
        [cut(_cell(value), limit) for value, limit in zip(row, limits, strict=True)] for row in rows
    ]
    columns = list(zip(header, *cells, strict=True))
    lengths = [max(len(cell) for cell in column) for column in columns]
    numeric = [
        bool(rows) and all(isinstance(row[place], int | float | None) for row in rows)
        for place in range(len(header))
    ]
    lines = [
        "  ".join(
            cell.rjust(length) if right else cell.ljust(length)
            for cell, length, right in zip(line, lengths, numeric, strict=True)
        ).rstrip()
        for line in (header, ["-" * length for length in lengths], *cells)
    ]
    return "\n".join(lines)


def number(value: object) -> str:
    """A number with at most four significant digits and separated thousands; None is empty."""
    if value is None:
        return ""
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        if value and abs(value) < 0.001:
            return f"{value:.1e}"
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return str(value)


def _cell(value: object) -> str:
    if isinstance(value, list | tuple):
        return printable(", ".join(str(item) for item in value))
    return printable(number(value))
