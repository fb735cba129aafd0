"""Folders beside the tables for the temporary files of a stage or of a whole run.

All executors of the engine see the tables, so they see these folders, too.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from jobs.platform.stores import is_url, list_folder, remove_folder

logger = logging.getLogger(__name__)
SCRATCH = "_scratch"
TIME_FORMAT = "%Y%m%dT%H%M%S"
LONGEST_STAGE = timedelta(days=2)
"""Storage on a URL has no lock. A folder there may belong to a living run until it is so old."""


@contextmanager
def staging_folder(storage: str, use: str) -> Iterator[str]:
    """The path or URL of a new folder beside the tables; it is removed at the end.

    ``use``: the stage that needs it, or another word for a use that nothing else has at the same
    time. Folders of killed runs with the same use are removed. The caller holds the lock of a local
    ``storage``.
    """
    folder = f"{storage.rstrip('/')}/{SCRATCH}/{use}"
    now = datetime.now(UTC)
    _remove_old(folder, now)
    own = f"{folder}/{now:{TIME_FORMAT}}-{uuid.uuid4().hex[:8]}"
    if not is_url(own):
        Path(own).mkdir(parents=True)
    try:
        yield own
    finally:
        try:
            remove_folder(own)
        except OSError:
            # The next run removes it. The error of the stage itself must not be hidden.
            logger.warning("%s could not be removed", own, exc_info=True)


def _remove_old(folder: str, now: datetime) -> None:
    if not is_url(folder):
        remove_folder(folder)
        return
    for info in list_folder(folder):
        if info.base_name < f"{now - LONGEST_STAGE:{TIME_FORMAT}}":
            remove_folder(f"{folder}/{info.base_name}")
