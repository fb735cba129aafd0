"""Types of a finding's fields: the check of a value, and its JSON Schema."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, PlainValidator, WithJsonSchema

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")


@dataclass(frozen=True)
class Kind:
    """Type of a field, one of TYPES."""

    name: str


def _keyword(value: Any) -> str:
    # Not pydantic's own check, which refuses halves of surrogate pairs: names in logs hold them.
    if not isinstance(value, str) or not value:
        raise ValueError("keyword expected")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("text expected")
    return value


def _time(value: Any) -> str:
    if not isinstance(value, str) or not TIME.fullmatch(value) or not _is_time(value):
        raise ValueError("date expected")
    return value


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("boolean expected")
    return value


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("integer expected")
    return value


def _float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("float expected")
    return value


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


Keyword = Annotated[
    str,
    Kind("keyword"),
    PlainValidator(_keyword),
    WithJsonSchema({"type": "string", "minLength": 1}),
]
Text = Annotated[
    str, Kind("text"), PlainValidator(_text), WithJsonSchema({"type": "string", "minLength": 1})
]
Time = Annotated[
    str,
    Kind("date"),
    PlainValidator(_time),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
Boolean = Annotated[
    bool, Kind("boolean"), PlainValidator(_boolean), WithJsonSchema({"type": "boolean"})
]
Integer = Annotated[
    int, Kind("integer"), PlainValidator(_integer), WithJsonSchema({"type": "integer"})
]
Float = Annotated[float, Kind("float"), PlainValidator(_float), WithJsonSchema({"type": "number"})]
Ratio = Annotated[
    float,
    Kind("float"),
    PlainValidator(_float),
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": 1}),
]
"""A share or a probability; :func:`schemas.finding.validate_finding` checks the bounds."""


class Part(BaseModel):
    """Base of every object of a finding: all members are there, and no others."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
