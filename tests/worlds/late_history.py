"""A history whose tables are made when somebody first asks for them; most detectors ask for few."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from functools import cache
from typing import Any

from models.features.history import History


class LateHistory(History):
    """A history; a table given as a function is made by it, once."""

    def __init__(self, **tables: Any) -> None:
        late: dict[str, Callable[[], Any]] = {}
        for name, table in tables.items():
            if callable(table):
                late[name] = cache(table)
            else:
                object.__setattr__(self, name, table)
        object.__setattr__(self, "_late", late)

    def __getattr__(self, name: str) -> Any:
        """A table that is not made yet."""
        if name == "_late" or name not in self._late:
            raise AttributeError(name)
        made = self._late[name]()
        object.__setattr__(self, name, made)
        return made

    def but(self, **tables: Any) -> LateHistory:
        """The history with other tables; the tables that are not made yet stay so."""
        same = {
            field.name: vars(self).get(field.name, self._late.get(field.name))
            for field in fields(History)
        }
        return LateHistory(**(same | tables))
