"""A folder beside the tables for a stage's temporary files."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path


def staging_folder(storage: str) -> tempfile.TemporaryDirectory[str]:
    """A folder for temporary files beside the warehouse's tables; it is removed at the end."""
    if "://" in storage:
        return tempfile.TemporaryDirectory(prefix="exfilwatch-")
    folder = Path(storage) / "_staging"
    shutil.rmtree(folder, ignore_errors=True)  # left by a run that was killed
    folder.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(dir=folder)
