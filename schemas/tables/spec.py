"""The description of a table: its columns, its key, its grain."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """One column: its Spark SQL ``type``, all allowed ``values``, and inclusive bounds."""

    name: str
    type: str
    meaning: str
    nullable: bool = False
    values: tuple[str, ...] | None = None
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True)
class Table:
    """One table: ``key`` is unique within a day, ``stage`` writes it.

    ``in_key_order``: readers of frames get each day by the key, and the engine may write the day as
    any number of files in any order. Frames of other tables keep the order of the files.
    """

    name: str
    grain: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    stage: str = ""
    in_key_order: bool = False

    @property
    def column_names(self) -> list[str]:
        """Names of the columns, in order."""
        return [column.name for column in self.columns]

    def ddl(self) -> str:
        """Spark DDL of the columns in order; all nullable, because engines disagree otherwise."""
        return ", ".join(f"`{column.name}` {column.type}" for column in self.columns)
