"""The log formats: the facts that each log holds, the way to switch it on, and the cost.

``NAME.yml`` beside this module describes format ``NAME``. Its ``fields`` are the field map of
:mod:`schemas.formats.field_map`. The readers have never switched this log on. Leave out every claim
that the vendor does not confirm.
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
    """Whether a log holds a fact, once it is switched on as described."""

    holds: Literal["yes", "partly", "no"]
    """Quote it in YAML, because a bare yes is a boolean there."""
    how: Text
    """The field, the condition, the exceptions."""


class Format(Described):
    """One log format."""

    title: Annotated[str, Field(min_length=3, max_length=60)]
    """The product and its log, in one line."""
    record: Text
    """Form of one record."""
    file: Text
    """Kinds of files."""
    person: Answer
    """The person who acted, not only an account, a role or a key."""
    bytes: Answer
    """The number of bytes that left."""
    downloads: Answer
    """Reads, if the log records them at all."""
    address: Answer
    """The caller's address."""
    object: Answer
    """The object of an asset that was touched."""
    delivery: Text
    """Delay, completeness and repetition of the delivery."""
    enable: Annotated[tuple[Text, ...], Field(min_length=1)]
    """Steps at the vendor. A line that begins with `$ ` is to be typed and is never wrapped."""
    cost: Text
    """Reasons why the log is expensive or dangerous to keep."""
    limits: Annotated[tuple[Text, ...], Field(min_length=1)]
    """Facts that our reading leaves out or cannot distinguish."""
    same_accesses: Annotated[str, Field(min_length=2)] | None = None
    """Formats with the same word here may each log one access, under one id of the vendor."""
    tells_jobs: bool = False
    """A record may be the submission of a job or of a workload of a cluster."""
    tells_models: bool = False
    """A record may be a query of a model."""
    tells_sizes: bool = False
    """True if a record may hold the size of the whole object, or say that a part was read."""
    example: dict[str, Any]
    """An entry of `sources` in the config, without its `format`."""


def read_format(text: str) -> Format:
    """Reads a format's description; raises pydantic's ValidationError with all its problems."""
    return Format(**{key: value for key, value in yaml.safe_load(text).items() if key != "fields"})


def _read_formats() -> dict[str, Format]:
    """Formats by id, sorted; `mapped` is the last."""
    files = [file for file in resources.files(__package__).iterdir() if file.name.endswith(".yml")]
    texts = {file.name.removesuffix(".yml"): file.read_text(encoding="utf-8") for file in files}
    return {
        name: read_format(texts[name]) for name in sorted(texts, key=lambda n: (n == "mapped", n))
    }


FORMATS = _read_formats()
"""Format id → format, for every format that a source may name."""
