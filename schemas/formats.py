"""The log formats that are read: what each can tell, how to switch it on, what that costs.

``formats.yml`` beside this module is the one list of format ids; a format exists once it has an
entry there.
"""

from __future__ import annotations

from importlib import resources
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

Text = Annotated[str, Field(min_length=3, pattern=r"^\S.*\S$")]


class Described(BaseModel):
    """Base of the table's models: frozen, every key given, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Answer(Described):
    """Whether a log tells something, once it is switched on as described."""

    told: Literal["yes", "partly", "no"]
    """Quoted in YAML, where a bare yes is a boolean."""
    how: Text
    """By which field, under which condition, with which exception."""


class Format(Described):
    """One log format."""

    title: Annotated[str, Field(min_length=3, max_length=60)]
    """What it is, in a line."""
    record: Text
    """What one record is."""
    file: Text
    """Kinds of files."""
    person: Answer
    """Who acted, as a person and not only an account, a role or a key."""
    bytes: Answer
    """How many bytes left."""
    downloads: Answer
    """Whether reading is logged at all."""
    address: Answer
    """Where the caller was."""
    object: Answer
    """Which object of an asset was touched."""
    delivery: Text
    """How late, how complete, how often the same record."""
    enable: Annotated[tuple[Text, ...], Field(min_length=1)]
    """Steps at the vendor; what begins with `$ ` is to be typed and is never wrapped."""
    cost: Text
    """What makes it expensive or dangerous to keep."""
    limits: Annotated[tuple[Text, ...], Field(min_length=1)]
    """What our reading leaves out or cannot tell apart."""
    example: dict[str, Any]
    """An entry of `sources` in the config, without its `format`."""


def read_formats(text: str) -> dict[str, Format]:
    """The table by format id; raises pydantic's ValidationError with all problems of an entry."""
    return {name: Format(**entry) for name, entry in yaml.safe_load(text).items()}


FORMATS = read_formats(
    resources.files(__package__).joinpath("formats.yml").read_text(encoding="utf-8")
)
"""Every format that a source may name, by its id."""
