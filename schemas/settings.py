"""Base and common types of all settings of a job config."""

from __future__ import annotations

import ipaddress
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
)

NonEmpty = Annotated[str, Field(min_length=1)]
EnvironmentName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
"""Name of an environment variable; the pattern refuses most secrets pasted by mistake."""


def _cidr(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value))
    except ValueError as error:
        raise ValueError(f"{error} (a network such as 10.0.0.0/8 is expected)") from error


Cidr = Annotated[str, AfterValidator(_cidr)]
"""A network such as 10.0.0.0/8 or 2001:db8::/32, or one address."""


class Settings(BaseModel):
    """Base of every part of the config: frozen, unknown keys refused."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )
