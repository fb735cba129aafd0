"""Where the objects are installed, and what is told about a detector there."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_SPACE = "default"


@dataclass(frozen=True)
class Site:
    """A prefix of index names and a Kibana space.

    Ids are fixed, so that a second install replaces the first. Kibana keeps the ids of all spaces
    apart: an id that another space holds would be exchanged for a random one on import, and links
    made of text would lead nowhere. So an id names its space.
    """

    prefix: str = "exfilwatch"
    space: str = DEFAULT_SPACE

    def id(self, name: str) -> str:
        """Id of the object of that name."""
        return "-".join([self.prefix, *([] if self.space == DEFAULT_SPACE else [self.space]), name])


@dataclass(frozen=True)
class Runbook:
    """What to do about a detector's findings: its title and steps, plain text."""

    title: str
    steps: tuple[str, ...]
