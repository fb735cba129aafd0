"""Marks that a log format sets before a name, for the search for its bearer."""

from __future__ import annotations

CHOSEN = "\x01"
"""First character of a name in ``names`` that its bearer chose, as a role session's name is."""
OF_ACCOUNT = "\x02"
"""First character of a line in ``names`` that is no name, but the account that the one is of."""
