"""findings.ndjson: the review queue of every day run into one output folder, a finding a line.

Days stand oldest first, and within a day findings by their place in its queue. Running a day again
replaces that day's lines. The file is replaced as a whole, so that whoever reads it, or kills us,
sees either the old or the new one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

from jobs.errors import RunError

FILE_NAME = "findings.ndjson"
KEPT_PER_BUDGET = 10
"""Findings of a day in the file, as a multiple of the day's alert budget."""


def replace_queue_day(
    folder: Path, day: date, documents: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Make ``documents`` the queue of ``day`` in the folder's file; gives all that is in it.

    Raises RunError, and leaves the file as it is, if one of its lines is no finding.
    """
    path = folder / FILE_NAME
    kept = [document for document in read_queue(folder) if queue_day(document) != day]
    queue = sorted([*kept, *documents], key=_place)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(path, (_line(document) for document in queue))
    return queue


def read_queue(folder: Path) -> list[dict[str, Any]]:
    """The findings in the folder's file, in its order; none if there is no file."""
    path = folder / FILE_NAME
    if not path.exists():
        return []
    documents = []
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            try:
                document = json.loads(line)
                queue_day(document)
                _place(document)
            except (ValueError, KeyError, TypeError) as error:
                raise RunError(
                    f"{path} line {number} is no finding ({type(error).__name__}: {error}); move "
                    "the file away and run its days again"
                ) from error
            documents.append(document)
    return documents


def queue_day(document: dict[str, Any]) -> date:
    """Day whose queue a finding is in; its evidence may end before that day."""
    return date.fromisoformat(document["exfil"]["day"])


def write_atomically(path: Path, parts: Iterable[str]) -> None:
    """Replace a text file as a whole; a kill at any moment leaves the old one or the new one."""
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(parts)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _place(document: dict[str, Any]) -> tuple[date, int, str]:
    return queue_day(document), document["exfil"]["queue_rank"], document["event"]["id"]


def _line(document: dict[str, Any]) -> str:
    text = json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    # JSON leaves these two as they are, and some readers end a line at them.
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029") + "\n"
