"""Text for a terminal. Attackers choose the values in logs, so no value is printed raw."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from shutil import get_terminal_size
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

MAX_CELL_CHARS = 60
LEAST_WRAPPED_CHARS = 20
"""A column that wraps is no narrower, even if the table is then wider than the terminal."""
GAP_CHARS = 2
RULE = "    \n    \n -- \n    \n    \n    \n    \n    \n"
"""A table's lines as rich notes them: a rule below the header and nothing else."""
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


def table(
    header: Sequence[str],
    rows: Sequence[Sequence[object]],
    widths: Mapping[str, int] | None = None,
) -> str:
    """A table of aligned columns, numbers to the right; None is an empty cell.

    Cells are cut at the column's length in ``widths`` (characters; default 60). A terminal shows
    the columns of ``widths`` on several lines where the table is wider than it. Elsewhere every
    row is one line.
    """
    from rich.box import Box
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    limits = [(widths or {}).get(name, MAX_CELL_CHARS) for name in header]
    cells = [
        [cut(_cell(value), limit) for value, limit in zip(row, limits, strict=True)] for row in rows
    ]
    on_terminal = sys.stdout.isatty()
    shown = Table(box=Box(RULE), show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    width = 0
    for place, name in enumerate(header):
        length = max(cell_len(line[place]) for line in (header, *cells))
        wraps = on_terminal and widths is not None and name in widths
        least = min(length, LEAST_WRAPPED_CHARS) if wraps else length
        width += least + GAP_CHARS
        shown.add_column(
            Text(name),
            justify="right" if rows and _numeric(row[place] for row in rows) else "left",
            width=None if wraps else length,
            min_width=least,
            no_wrap=not wraps,
            overflow="fold",
        )
    for line in cells:
        # Text, unlike str, takes no markup: [red] is printed as it stands.
        shown.add_row(*map(Text, line))
    console = _console(max(width, get_terminal_size().columns if on_terminal else 0))
    with console.capture() as captured:
        console.print(shown, crop=False)
    return "\n".join(line.rstrip() for line in captured.get().rstrip("\n").split("\n"))


def styled(text: str, style: str) -> str:
    """``text``, in rich's ``style`` if it goes to a terminal."""
    if not sys.stdout.isatty():
        return text
    from rich.text import Text

    console = _console(len(text) + 1)
    with console.capture() as captured:
        console.print(Text(text, style=style), end="")
    return captured.get()


def _console(width: int) -> Console:
    """Rich for standard output: no markup, and no colours elsewhere than on a terminal."""
    from rich.console import Console

    return Console(
        width=width,
        force_terminal=sys.stdout.isatty(),
        markup=False,
        emoji=False,
        highlight=False,
    )


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


def _numeric(column: Iterable[object]) -> bool:
    return all(isinstance(value, int | float | None) for value in column)


def _cell(value: object) -> str:
    if isinstance(value, list | tuple):
        return printable(", ".join(str(item) for item in value))
    return printable(number(value))
