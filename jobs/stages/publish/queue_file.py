"""findings.ndjson: the review queues of all days of one output folder, one finding on each line.

The oldest day comes first; within a day findings are in the order of its queue. Running a day again
replaces the lines of that day. Files that belong together are replaced together: a reader sees the
old or the new ones. A full disk or a kill while they are written leaves the old ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import date
from io import TextIOWrapper
from typing import Any

from jobs.platform.errors import RunError
from jobs.platform.stores import open_file

FILE_NAME = "findings.ndjson"


def with_day(
    queue: Iterable[dict[str, Any]], day: date, documents: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The whole queue in the order of the file, with ``documents`` as the findings of ``day``."""
    kept = [document for document in queue if queue_day(document) != day]
    return sorted([*kept, *documents], key=_place)


def queue_lines(queue: Iterable[dict[str, Any]]) -> Iterator[str]:
    """The lines of findings.ndjson."""
    return (_line(document) for document in queue)


def read_queue(folder: str) -> list[dict[str, Any]]:
    """The findings in the folder's file, in its order; none if there is no file.

    Raises RunError if one of its lines is not a finding.
    """
    path = f"{folder}/{FILE_NAME}"
    documents = []
    try:
        content = open_file(path)
    except FileNotFoundError:
        return []
    with TextIOWrapper(content, encoding="utf-8") as file:
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
    """Day of the queue that a finding is in; its evidence may end before that day."""
    return date.fromisoformat(document["exfil"]["day"])


def _place(document: dict[str, Any]) -> tuple[date, int, str]:
    return queue_day(document), document["exfil"]["queue_rank"], document["event"]["id"]


def _line(document: dict[str, Any]) -> str:
    text = json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    if not text.isprintable():
        # JSON leaves control and format characters as they are. Some readers end a line at them, a
        # terminal obeys them, and some reverse the text beside them.
        text = "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)
    return text + "\n"
