"""Changed settings of a detector: the day says that nothing earlier compares with it."""

from __future__ import annotations

from datetime import date

import pandas as pd

from jobs.stages.signals import SETTINGS, new_settings_note

DAY = date(2026, 10, 30)


def signals(*settings: tuple[str, str]) -> pd.DataFrame:
    return pd.DataFrame(list(settings), columns=[*SETTINGS])


def test_a_detector_with_other_settings_is_named_with_the_command_that_scores_its_past() -> None:
    before = signals(("burst_self", "a"), ("recon", "b"), ("leaver", "c"))
    rows = signals(("burst_self", "x"), ("recon", "b"), ("burst_self", "x"), ("leaver", "y"))
    note = new_settings_note(rows, before, DAY, 28)
    assert note.startswith("NEW SETTINGS of burst_self, leaver: ")
    assert "--start 2026-10-02 --end 2026-10-30" in note


def test_equal_settings_new_detectors_and_first_days_say_nothing() -> None:
    rows = signals(("burst_self", "a"), ("canary", "n"))
    assert new_settings_note(rows, signals(("burst_self", "a")), DAY, 28) == ""
    assert new_settings_note(rows, signals(), DAY, 28) == ""
