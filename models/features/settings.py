"""Types of the detectors' settings; a wrong value gives the expected one in words."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator

MOST = 1e18


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false expected")
    return value


def _texts(value: Any) -> list[str]:
    if not (isinstance(value, list) and all(isinstance(item, str) for item in value)):
        raise ValueError("a list of texts expected")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < MOST:
        raise ValueError("a number of at least 0 expected")
    return value


def _whole(value: Any) -> int:
    number = _number(value)
    if not float(number).is_integer():
        raise ValueError("a whole number expected")
    return int(number)


Flag = Annotated[bool, BeforeValidator(_flag)]
Texts = Annotated[list[str], BeforeValidator(_texts)]
Number = Annotated[float, BeforeValidator(_number)]
"""A number of at least 0."""
Whole = Annotated[int, BeforeValidator(_whole)]
"""A whole number of at least 0."""
