"""Explaining a finding."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.running import run


def test_explain_shows_reasons_and_evidence(
    stored_job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, "explain", "abc", "--config", stored_job)
    assert (code, err) == (0, "")
    assert "Finding abc123 of 2026-10-05: rank 1 (in the queue)" in out
    assert "Ana Silva (u1), ana@example.com: score 71.2 of 100, severity 3 of 4" in out
    assert "techniques T1530" in out
    assert out.index("the whole checkpoint") < out.index("never seen here")
    assert "Case (2 rows)" in out  # the day before kept the same finding
    assert "1.0e-05" in out
    assert "100%" in out
    assert "Access by day (3 rows)" in out  # neither the row of 7 days ago nor u2's
    assert "123,456,789" in out
    assert "987,654" in out
    # 30 on the asset and one in the container s3://scratch, not s3://scratchy nor u2's
    assert "Events (20 of 31 rows)" in out
    assert all(character.isprintable() for character in out.replace("\n", ""))


def test_explain_takes_a_unique_beginning(
    stored_job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, "explain", "ab", "--config", stored_job)
    assert (code, out) == (2, "")
    assert "2 findings begin with 'ab': abc123, abd999" in err
    code, _, err = run(capsys, "explain", "zz", "--config", stored_job)
    assert code == 2
    assert "no finding" in err


def test_explain_without_findings(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "explain", "ab", "--config", job)
    assert code == 2
    assert "there are no findings" in err
