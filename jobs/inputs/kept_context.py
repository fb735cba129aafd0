"""The context files kept with each day, so that an old day run again uses its own directory.

A run keeps the files in force with its day, in the table ``context_files``. The newest day that was
ever run always takes the files as they are now, so that a corrected file acts at once. An older day
takes its kept files, unless its run is to take those of now.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from jobs.inputs.context import every_directory, files_in_force
from jobs.inputs.csv_rows import COLUMNS
from jobs.inputs.fingerprints import file_hashes
from jobs.platform.delta_tables import open_table, stored_files, table_exists
from jobs.platform.record_tables import replace_rows
from schemas.config import JobConfig
from schemas.tables.runs import CONTEXT_FILES

if TYPE_CHECKING:
    import pandas as pd

Choice = Literal["kept", "now"]
"""The context files of a day before the newest: those kept with it, or those of now."""
Hashes = Mapping[str, str]
"""Kind of context file → hash of its file; a kind without a file is missing."""


@dataclass(frozen=True)
class KeptContext:
    """Hashes of the files kept with each of some days, and the newest day with kept files."""

    hashes: Mapping[date, Hashes]
    newest: date | None

    def of_old_day(self, day: date) -> Hashes | None:
        """The kept files to use for ``day``; None if the files of now are to be used."""
        return self.hashes.get(day) if self.newest and day < self.newest else None


def kept_context(storage: str, days: Sequence[date]) -> KeptContext:
    """The files kept with ``days``."""
    import pyarrow.compute as pc

    if not table_exists(storage, CONTEXT_FILES):
        return KeptContext({}, None)
    partitions = open_table(storage, CONTEXT_FILES).partitions()
    held = {date.fromisoformat(partition["day"]) for partition in partitions}
    found: dict[date, dict[str, str]] = {day: {} for day in days if day in held}
    if found:
        rows = stored_files(storage, CONTEXT_FILES).to_table(
            columns=["day", "kind", "hash"], filter=pc.field("day").isin([*found])
        )
        for row in rows.to_pylist():
            if row["hash"] is not None:
                found[row["day"]][row["kind"]] = row["hash"]
    return KeptContext(found, max(held, default=None))


def kept_directories(storage: str, day: date) -> list[pd.DataFrame]:
    """Rows of the directory kept with the day; empty if none is kept."""
    if not table_exists(storage, CONTEXT_FILES):
        return []
    with tempfile.TemporaryDirectory(prefix="exfilwatch-context-") as folder:
        _write_kept(storage, day, Path(folder))
        return every_directory(folder)


@contextmanager
def day_context(
    config: JobConfig, day: date, kept: KeptContext, choice: Choice
) -> Iterator[tuple[JobConfig, str]]:
    """The config with the ``context`` to use for ``day``, and a note if it is not as before.

    The files of now are kept with the day. The kept files of an older day are written to a private
    folder for the time of the block.
    """
    now, old = file_hashes(config.context, day), kept.of_old_day(day)
    if choice == "kept" and old is not None and old != now:
        with tempfile.TemporaryDirectory(prefix="exfilwatch-context-") as folder:
            _write_kept(config.storage, day, Path(folder))
            note = f"{_differing(old, now)} as kept with the day (`--context now` takes today's)"
            yield config.model_copy(update={"context": folder}), note
        return
    before = kept.hashes.get(day)
    if before != now:
        _keep(config, day, now)
    yield config, f"{_differing(before, now)} as of now" if before not in (None, now) else ""


def _differing(one: Hashes, other: Hashes) -> str:
    """The names of the files that differ."""
    return ", ".join(f"{kind}.csv" for kind in COLUMNS if one.get(kind) != other.get(kind))


def _keep(config: JobConfig, day: date, hashes: Hashes) -> None:
    """Keep the files in force with the day, in place of those kept before."""
    rows = []
    for kind, path in files_in_force(Path(config.context), day).items():
        content = None if path is None else path.read_bytes()
        name = None if path is None else path.name
        row: dict[str, Any] = {"day": day, "kind": kind, "name": name, "hash": hashes.get(kind)}
        rows.append({**row, "content": content})
    replace_rows(config.storage, CONTEXT_FILES, day, rows)


def _write_kept(storage: str, day: date, folder: Path) -> None:
    """Write the files kept with the day to an empty folder, each under the name of its kind."""
    import pyarrow.compute as pc

    rows = stored_files(storage, CONTEXT_FILES).to_table(
        columns=["kind", "content"], filter=pc.field("day") == pc.scalar(day)
    )
    for row in rows.to_pylist():
        if row["content"] is not None:
            (folder / f"{row['kind']}.csv").write_bytes(row["content"])
