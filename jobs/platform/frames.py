"""Rows of the warehouse as pandas frames, read without the engine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING

from jobs.platform.delta_tables import stored_files, table_exists
from jobs.platform.key_order import sorted_days
from schemas.tables.spec import Table

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from pyarrow.compute import Expression
    from pyarrow.dataset import FileSystemDataset


def is_one_of(column: str, names: Iterable[str]) -> Expression:
    """The condition that a column of strings holds one of the names."""
    import pyarrow as pa
    import pyarrow.compute as pc

    # Without its type the list of nobody would be one of nulls.
    return pc.field(column).isin(pa.array(names, pa.string()))


def stored_frame(
    storage: str,
    table: Table,
    last: date,
    look_back: int = 0,
    columns: Sequence[str] | None = None,
    where: Expression | None = None,
) -> pd.DataFrame:
    """The rows of :func:`jobs.platform.delta_tables.read_days` as a pandas frame.

    ``columns``: the wanted columns; None: all. ``where``: a condition on the rows; None: all. The
    models read small tables as a whole; this is several times faster than the engine's result
    stream. Days are in order. The rows of a day are in the order of the key if the table's
    ``in_key_order`` is set, because sums of fractions depend on the order of their terms. In other
    tables the rows of a day that lies in one file keep their order. Timestamps are naive UTC, dates
    are ``datetime.date``.
    Columns of lists stay in Arrow's form, because unpacking them takes longer than all the rest.
    """
    frame = coded_frame(storage, table, last, look_back, columns, where)
    for name in frame.select_dtypes("category"):
        frame[name] = _texts_of(frame[name])
    return frame


def coded_frame(
    storage: str,
    table: Table,
    last: date,
    look_back: int = 0,
    columns: Sequence[str] | None = None,
    where: Expression | None = None,
) -> pd.DataFrame:
    """The frame of :func:`stored_frame` with texts as categories, in a fraction of its memory."""
    import pandas as pd
    import pyarrow.compute as pc
    from pyarrow.dataset import FileSystemDataset

    names = list(columns or table.column_names)
    if not table_exists(storage, table):
        return pd.DataFrame(columns=names)
    days = pc.field("day")
    first = last - timedelta(days=look_back)
    wanted = (days >= pc.scalar(first)) & (days <= pc.scalar(last))
    rows_wanted = wanted if where is None else wanted & where
    texts = [column.name for column in table.columns if column.type == "string"]
    stored = stored_files(storage, table, texts)
    # The table lists files in an order that a second run would not repeat.
    files = sorted(stored.get_fragments(wanted), key=lambda file: file.path)
    in_order = FileSystemDataset(files, stored.schema, stored.format, stored.filesystem)
    if not table.in_key_order:
        return _to_coded_frame(_read(in_order, names, rows_wanted))
    needed = list(dict.fromkeys([*names, "day", *table.key]))
    return _to_coded_frame(sorted_days(_read(in_order, needed, rows_wanted), table).select(names))


def _read(files: FileSystemDataset, names: list[str], wanted: Expression) -> pa.Table:
    """The wanted rows, with nulls in no dictionary."""
    import pyarrow as pa

    def outside(texts: pa.ChunkedArray) -> pa.ChunkedArray:
        # A file that has no text in a column gets a dictionary with a null. pandas refuses it.
        if not pa.types.is_dictionary(texts.type):
            return texts
        if not any(part.dictionary.null_count for part in texts.iterchunks()):
            return texts
        return texts.cast(texts.type.value_type).dictionary_encode()

    # Arrow's own allocator keeps much of what its threads needed, and nothing gives that back.
    pa.set_memory_pool(pa.system_memory_pool())
    rows = files.to_table(columns=names, filter=wanted)
    return pa.table({name: outside(rows[name]) for name in names})


def _to_coded_frame(rows: pa.Table) -> pd.DataFrame:
    """The rows as a pandas frame, with categories for Arrow dictionaries; ``rows`` is used up."""
    import pandas as pd
    import pyarrow as pa

    def keep_lists(type_: pa.DataType) -> pd.ArrowDtype | None:
        return pd.ArrowDtype(type_) if pa.types.is_list(type_) else None

    frame: pd.DataFrame = rows.to_pandas(
        date_as_object=True, types_mapper=keep_lists, self_destruct=True
    )
    # Else the system gets this memory back only when the process ends.
    del rows
    pa.default_memory_pool().release_unused()
    for name in frame.select_dtypes("datetimetz"):
        frame[name] = frame[name].dt.tz_localize(None).astype("datetime64[ns]")
    return frame


def _texts_of(coded: pd.Series) -> pd.Series:
    """A column of categories as one of texts; missing ones are None."""
    import numpy as np
    import pandas as pd

    # The code of a missing text is -1, so it takes the last one.
    texts = np.append(coded.cat.categories.to_numpy(dtype=object), [None])
    return pd.Series(texts[coded.cat.codes.to_numpy()], index=coded.index, name=coded.name)
