"""The log formats that are read: what each can tell, how to switch it on, what that costs.

``NAME.yml`` beside this module describes format ``NAME``; its ``fields`` are those of
:mod:`schemas.formats.field_map`. Written for those who have never switched such a log on; a claim
that could not be looked up at the vendor's has no place there.
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
    same_accesses: Annotated[str, Field(min_length=2)] | None = None
    """Formats with the same word here may record one access each, under one id of the vendor."""
    tells_sizes: bool = False
    """Whether a record may hold the size of the whole object, or say that a part was read."""
    example: dict[str, Any]
    """An entry of `sources` in the config, without its `format`."""


def read_format(text: str) -> Format:
    """A format's description; raises pydantic's ValidationError with all its problems."""
    return Format(**{key: value for key, value in yaml.safe_load(text).items() if key != "fields"})


def _read_formats() -> dict[str, Format]:
    """Formats by id, in the order of their ids; `mapped` is the last."""
    files = [file for file in resources.files(__package__).iterdir() if file.name.endswith(".yml")]
    texts = {file.name.removesuffix(".yml"): file.read_text(encoding="utf-8") for file in files}
    return {
        name: read_format(texts[name]) for name in sorted(texts, key=lambda n: (n == "mapped", n))
    }


FORMATS = _read_formats()
"""Every format that a source may name, by its id."""
