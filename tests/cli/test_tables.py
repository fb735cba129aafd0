"""Tables for the terminal."""

from __future__ import annotations

import pytest

from jobs.platform.terminal_text import cut, printable, table
from jobs.review.queue_table import queue_table
from tests.cli.stored import ESCAPE, document


def test_queue_is_in_order_of_rank() -> None:
    lines = queue_table([document("b" * 64, 2), document("a" * 64, 1)]).splitlines()
    assert lines[0].split() == [
        "rank",
        "score",
        "severity",
        "entity",
        "assets",
        "reason",
        "finding",
    ]
    assert [line.split()[0] for line in lines[2:]] == ["1", "2"]
    assert "Ana Silva (u1)" in lines[2]
    assert "ckpt, s3://scratch" in lines[2]
    assert "\\x1b[2J\\u202e" in lines[2]
    assert queue_table([]) == "The queue is empty."


def test_table_aligns_and_cuts() -> None:
    rows = [["a", 5, None], ["b" * 50, 1234, "x\ny"]]
    assert table(["name", "n", "z"], rows, {"name": 4}) == (
        "name      n  z\n-----------------\na         5\nbb…b  1,234  x\\ny"
    )
    assert cut("s3://lab/ckpt/shard-7", 15) == "s3://la…shard-7"
    assert cut("a plain sentence", 10) == "a plain s…"
    assert printable("tab\tdel\x7fzero\u200b") == "tab\\tdel\\x7fzero\\u200b"


def test_markup_in_a_name_is_printed_unchanged() -> None:
    names = ["[red]x[/]", ":smile:", "[link=https://evil.example]y[/link]", "\x1b[31mz"]
    lines = table(["[b]name", "number"], [[name, 1] for name in names]).splitlines()
    assert lines[0].startswith("[b]name ")
    assert [line.split()[0] for line in lines[2:]] == [*names[:3], "\\x1b[31mz"]


def test_a_long_row_is_one_line() -> None:
    long = "word " * 100
    shown = table(["reason", "resource"], [[long, "x" * 900]] * 3, {"reason": 500, "resource": 900})
    assert len(shown.splitlines()) == 5
    assert all(line.endswith("x" * 900) for line in shown.splitlines()[2:])


def test_wide_characters_keep_the_columns() -> None:
    lines = table(["name", "n"], [["漢字", 1], ["ab", 22]]).splitlines()
    assert lines[2:] == ["漢字   1", "ab    22"]


@pytest.mark.parametrize("variable", ["FORCE_COLOR", "CLICOLOR_FORCE"])
def test_no_colours_without_a_terminal(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "1")
    shown = queue_table([document("a" * 64)])
    assert all(character.isprintable() for character in shown.replace("\n", ""))
    assert ESCAPE not in shown
