"""Listing the objects that a source's URL matches, folder by folder.

A folder of an object store is a part of its objects' names up to a slash. There are no links.
"""

from __future__ import annotations

import fnmatch
import glob
import re
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

from jobs.platform.stores import list_folder, reason

if TYPE_CHECKING:
    from pyarrow.fs import FileInfo


def walk_store(
    start: str, names: list[str], problems: dict[str, str], *, folders: bool
) -> Iterator[str]:
    """URLs of files (or ``folders``) below ``start``, by globs: one for each level.

    ``problems`` gets each folder that cannot be listed, with the reason. The state of the walk is a
    folder and a place in ``names``; no state comes twice.
    """
    pending = deque([(start.rstrip("/"), 0)])
    seen = set()
    while pending:
        folder, place = pending.popleft()
        if (folder, place) in seen:
            continue
        seen.add((folder, place))
        name, last = names[place], place == len(names) - 1
        deep = name == "**"
        if deep and not last:
            pending.append((folder, place + 1))
        if not (last or glob.has_magic(name)):
            # No request for a name that is known. If it does not exist, its own list is empty.
            pending.append((f"{folder}/{name}", place + 1))
            continue
        for info in _entries(folder, name, problems):
            below = f"{folder}/{info.base_name}"
            if info.is_file:
                if last and not folders:
                    yield below
            elif deep or not last:
                pending.append((below, place if deep else place + 1))
            elif folders:
                yield below


def _entries(folder: str, name: str, problems: dict[str, str]) -> Iterator[FileInfo]:
    """Entries of a folder that a glob of one level matches; only a glob with a dot finds hidden."""
    try:
        found = list_folder(folder)
    except FileNotFoundError:
        return
    except OSError as error:
        problems[folder] = reason(error)
        return
    matches = re.compile(fnmatch.translate("*" if name == "**" else name)).match
    for info in found:
        shown = name[0] == "." or not info.base_name.startswith(".")
        if shown and (info.base_name == name or matches(info.base_name)):
            yield info
