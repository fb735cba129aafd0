"""The demo's folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.inputs.config import load_config
from jobs.trial import demo
from tests.cli.running import run


def test_demo_replaces_only_what_a_demo_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep = tmp_path / "mine" / "thesis.txt"
    keep.parent.mkdir()
    keep.write_text("years of work")
    code, _, err = run(capsys, "demo", "--out", keep.parent)
    assert code == 2
    assert "was not made by a demo" in err
    assert keep.read_text() == "years of work"


def test_demo_replaces_a_killed_demo(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    folder.mkdir()
    for name in (demo.MARKER, "config.yml", "left-over"):
        (folder / name).write_text("of an earlier demo that was killed")
    (folder / demo.MAKING).mkdir()
    lines: list[str] = []
    truth = demo.make_sample(folder, 3, 4, 2, 3, lines.append)
    assert len(lines) == 3
    assert truth["events"]
    assert not (folder / "left-over").exists()
    assert not (folder / demo.MAKING).exists()
    assert (folder / demo.MARKER).is_file()
    assert load_config(folder / "config.yml").output == str(folder / "out")
