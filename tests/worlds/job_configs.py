"""The smallest job config, and the problems that load_config finds in a text."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.inputs.config import load_config
from jobs.platform.errors import InputError

SOURCE = "sources:\n  - {name: logs, format: aws_cloudtrail, path: 'raw/{yyyy}/{mm}/{dd}/*.json'}\n"


def problems_of(path: Path, text: str | None = None) -> list[str]:
    """The problems that load_config finds, without the folder's path."""
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError) as caught:
        load_config(path)
    assert caught.value.exit_code == 2
    return [problem.replace(f"{path.parent}/", "") for problem in caught.value.problems]
