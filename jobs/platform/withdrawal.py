"""Removes a day from a table, so that it counts as never written."""

from __future__ import annotations

import time
from datetime import date

from jobs.platform.delta_tables import day_writing, day_written, open_table, withdrawn_mark
from schemas.tables.spec import Table


def withdraw_day(storage: str, table: Table, day: date) -> bool:
    """Remove the rows of ``day``, which then counts as never written. False if it never was."""
    from deltalake import CommitProperties, Transaction

    if not day_written(storage, table, day):
        return False
    stored, now_ms = open_table(storage, table), int(time.time() * 1000)
    mark = Transaction(withdrawn_mark(day), day_writing(stored, day) or 0, now_ms)
    stored.create_write_transaction(
        actions=[],
        mode="overwrite",
        schema=stored.schema(),
        partition_by=["day"],
        partition_filters=[("day", "=", str(day))],
        commit_properties=CommitProperties(app_transactions=[mark]),
    )
    return True
