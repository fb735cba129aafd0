"""Damage of the tables' files, found without reading a row."""

from __future__ import annotations

import re
from urllib.parse import unquote

from jobs.platform.delta_tables import (
    LOG_NAME,
    LOG_REMEDY,
    REASON_CHARS,
    file_sizes,
    open_table,
    table_exists,
    table_path,
)
from jobs.platform.errors import RunError
from jobs.platform.terminal_text import one_line_of
from schemas.tables import RECORDS, TABLES
from schemas.tables.spec import Table


def table_problems(storage: str) -> list[str]:
    """Problems of the files of each table, each with its remedy. No rows are read."""
    problems = []
    for table in (*TABLES, *RECORDS):
        try:
            if table_exists(storage, table):
                problems += _file_problems(storage, table)
        except RunError as error:
            problems.append(str(error))
        except Exception as error:  # noqa: BLE001  # whatever the store's client raises
            path, reason = table_path(storage, table), one_line_of(str(error))
            return [*problems, f"{path} cannot be examined: {reason[:REASON_CHARS]}"]
    return problems


def _file_problems(storage: str, table: Table) -> list[str]:
    """Problems: empty commits, and data files that are missing or differ in size from the log."""
    import pyarrow as pa

    sizes = file_sizes(table_path(storage, table))
    actions = pa.table(open_table(storage, table).get_add_actions(flatten=True))
    files = zip(*(actions[name].to_pylist() for name in ("path", "size_bytes")), strict=True)
    broken = [path for path, size in files if sizes.get(unquote(path)) != size]
    problems = [
        f"table {table.name}: the commit {table_path(storage, table)}/{path} is empty; {LOG_REMEDY}"
        for path, size in sizes.items()
        if size == 0 and re.fullmatch(rf"{LOG_NAME}/\d+\.json", path)
    ]
    if broken:
        days = sorted({path.split("/")[0].removeprefix("day=") for path in broken})
        problems.append(
            f"table {table.name}: {len(broken)} of its files are missing or cut short (such as "
            f"{table_path(storage, table)}/{min(broken)}), of {', '.join(days)}; write each of "
            f"these days again: `exfilwatch stage {table.stage} --config … --day {days[0]}`"
        )
    return problems
