"""The place of the Kibana objects, and the runbook of a detector that they show."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_SPACE = "default"


@dataclass(frozen=True)
class Site:
    """A prefix of index names and a Kibana space.

    Ids are fixed, so a second install replaces the first. An id names its space: if another space
    already held the id, Kibana's import would exchange it for a random one, and the links made of
    text would lead nowhere.
    """

    prefix: str = "exfilwatch"
    space: str = DEFAULT_SPACE

    def id(self, name: str) -> str:
        """Id of the object ``name``."""
        return "-".join([self.prefix, *([] if self.space == DEFAULT_SPACE else [self.space]), name])


@dataclass(frozen=True)
class Runbook:
    """The title of a detector and the steps for its findings, as plain text."""

    title: str
    steps: tuple[str, ...]
