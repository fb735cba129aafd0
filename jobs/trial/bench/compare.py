"""Compares two runs of a lab: every table row by row, and the published findings.

    python -m jobs.trial.bench.compare BEFORE AFTER

Use it to check that a change of the code does not change results. The folders are those of
`exfilwatch demo --out`. Sentences may differ: columns and fields of :data:`WORDING` do not count.
Columns of only one run are listed and do not count either. A line is printed for each difference,
and the exit code is then 1.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jobs.platform.delta_tables import open_table, stored_files, table_exists
from schemas.tables import TABLES
from schemas.tables.spec import Table

WORDING = {"reason", "message", "observed", "expected", "advice"}
"""Columns and members that hold sentences, or parts of them."""
SHOWN = 3


def differences(before: Path, after: Path) -> Iterator[str]:
    """One line for each differing table and each day with differing findings."""
    for table in TABLES:
        names = [_columns(folder / "warehouse", table) for folder in (before, after)]
        both = sorted(set(names[0]) & set(names[1]) - WORDING)
        rows = [_rows(folder, table, both) for folder in (before, after)]
        yield from _compared(f"table {table.name}", *rows)
    findings = [_findings(folder / "out" / "findings.ndjson") for folder in (before, after)]
    yield from _compared("findings.ndjson", *findings)


def _compared(name: str, before: Counter[str], after: Counter[str]) -> Iterator[str]:
    gone, new = before - after, after - before
    if gone or new:
        yield f"{name}: {gone.total():,} rows only before, {new.total():,} only after"
        for sign, rows in (("-", gone), ("+", new)):
            yield from (f"  {sign} {row[:400]}" for row in sorted(rows)[:SHOWN])


def new_columns(before: Path, after: Path) -> Iterator[str]:
    """One line for each table that has columns in one of the runs only."""
    for table in TABLES:
        old, new = (_columns(folder / "warehouse", table) for folder in (before, after))
        if added := sorted(set(new) - set(old)):
            yield f"table {table.name}: only after: {', '.join(added)}"
        if gone := sorted(set(old) - set(new)):
            yield f"table {table.name}: only before: {', '.join(gone)}"


def _columns(storage: Path, table: Table) -> list[str]:
    """Stored columns; the spec's columns if the table is missing."""
    if not table_exists(str(storage), table):
        return table.column_names
    return [field.name for field in open_table(str(storage), table).schema().fields]


def _rows(folder: Path, table: Table, names: list[str]) -> Counter[str]:
    """Rows of a run's table; paths of its files start at its folder."""
    storage, place = str(folder / "warehouse"), f"{folder.absolute()}/"
    if not table_exists(storage, table):
        return Counter()
    rows: Counter[str] = Counter()
    for batch in stored_files(storage, table).to_batches(columns=names):
        found = batch.to_pylist(maps_as_pydicts="lossy")
        rows.update(_text(row).replace(place, "") for row in found)
    return rows


def _findings(path: Path) -> Counter[str]:
    with path.open(encoding="utf-8") as lines:
        return Counter(_text(json.loads(line)) for line in lines)


def _text(value: dict[str, Any]) -> str:
    return json.dumps(_without_wording(value), sort_keys=True, default=str)


def _without_wording(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_wording(v) for k, v in value.items() if k not in WORDING}
    return [_without_wording(each) for each in value] if isinstance(value, list) else value


def main() -> int:
    """Compare two folders; 0: equal."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    args = parser.parse_args()
    found = list(differences(args.before, args.after))
    print("\n".join([*new_columns(args.before, args.after), *(found or ["equal"])]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
