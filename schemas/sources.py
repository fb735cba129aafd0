"""Sources of a job config: the place of a log and the way to read it."""

from __future__ import annotations

import re
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    Field,
    field_validator,
    model_validator,
)

from schemas.formats import FORMATS
from schemas.settings import Cidr, NonEmpty, Settings
from schemas.tables.values import ACTION_CLASSES, IDENTITY_DETAILS
from schemas.time_pattern import read_time_pattern

DATE_FIELDS = ("{yyyy}", "{mm}", "{dd}")
SACCT_FIELD = re.compile(r"[A-Za-z]+(%-?[0-9]+)?")
SACCT_IDS = ("jobid", "jobidraw")
SACCT_TIMES = ("submit", "start", "end")
EPOCHS = ("epoch_s", "epoch_ms")
"""Values of ``time_format`` for numbers: seconds or milliseconds since 1970."""


class Mapping(Settings):
    """How a ``mapped`` source's fields become columns of ``events``.

    A value is a field name (JSON: dotted path; CSV: header), ``concat:TEXT`` with ``{field}``
    places, ``literal:TEXT``, or null where the log does not say.
    """

    time: str
    """Field that holds the time."""
    time_format: str | None = None
    """Spark datetime pattern; null means ISO 8601. `epoch_s` and `epoch_ms` read numbers. Zones:
    `VV` reads `Europe/Berlin`; `z` reads names such as `CEST`, too; `O`, `X`, `x` and `Z` read
    offsets."""
    principal: str
    """The identity that acted."""
    action: str
    """The log's own verb."""
    resource: str
    """URI of the touched resource."""
    action_class: dict[str, str] = Field(default={"*": "other"})
    """Map from the log's verb to an action class; `*` stands for every other verb."""
    event_id: str | None = None
    """The log's own unique id; null takes a hash of the line."""
    object: str | None = None
    """The object within the resource."""
    destination: str | None = None
    """Destination of a copy, share or upload."""
    source_ip: str | None = None
    """The caller's address."""
    user_agent: str | None = None
    """The caller's program."""
    bytes_out: str | None = None
    """Bytes sent to the caller."""
    credential: str | None = None
    """Id of a key or token, never a secret."""
    acting_as: str | None = None
    """Role or impersonated identity."""
    outcome: str | None = None
    """Field that holds the outcome; `outcome_values` says how to read it."""
    outcome_values: dict[str, Literal["success", "failure", "unknown"]] = Field(default={})
    """Map from the values of `outcome` to an outcome; any other value is `unknown`."""
    details: dict[str, str] = Field(default={})
    """Further fields to keep: map from the name in `details` to the field."""
    delimiter: str = ","
    """Separator of a CSV log."""

    @field_validator("time_format")
    @classmethod
    def _readable_times(cls, value: str | None) -> str | None:
        if value is not None and value not in EPOCHS:
            read_time_pattern(value)
        return value

    @field_validator("action_class")
    @classmethod
    def _known_classes(cls, value: dict[str, str]) -> dict[str, str]:
        bad = sorted({v for v in value.values() if v not in ACTION_CLASSES})
        if bad:
            raise ValueError(f"unknown action class {bad}; one of {', '.join(ACTION_CLASSES)}")
        return value

    @field_validator("details")
    @classmethod
    def _not_ours(cls, value: dict[str, str]) -> dict[str, str]:
        # A log that could write these keys could name the identity itself.
        bad = sorted({*value} & {*IDENTITY_DETAILS})
        if bad:
            raise ValueError(f"{', '.join(bad)}: only `ingest` writes this; take another name")
        return value


class Source(Settings):
    """One kind of log: a format, a path pattern and a time zone."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    """Free text, unique in the config."""
    format: str
    """Id of a format; `exfilwatch sources` lists them."""
    path: NonEmpty
    """Glob of the files. `{yyyy}`, `{mm}` and `{dd}` stand for the day of the run (UTC)."""
    required: bool = False
    """Whether a day without a file of this source is refused (exit 2) before anything is
    written."""
    timezone: str = "UTC"
    """IANA name of the zone of times without a zone."""
    cluster: str | None = None
    """Only for `kubernetes_audit` and `slurm_sacct`: the cluster of logs that do not name it."""
    trusted_proxies: list[Cidr] | None = None
    """Networks (CIDR) of the proxies in front of this log's server; null takes those of the job."""
    fields: str | None = None
    """Only for `slurm_sacct`: the argument of `sacct --format`, for files without a header
    (`--noheader`)."""
    mapping: Mapping | None = None
    """Only for `mapped`, which needs it: the fields that become columns."""

    @field_validator("format")
    @classmethod
    def _known_format(cls, value: str) -> str:
        if value not in FORMATS:
            raise ValueError(f"unknown format {value!r}; one of {', '.join(FORMATS)}")
        return value

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"unknown time zone {value!r} (an IANA name is expected)") from error
        return value

    @field_validator("fields")
    @classmethod
    def _sacct_fields(cls, value: str | None) -> str | None:
        problems = sacct_problems(value) if value is not None else []
        if problems:
            raise ValueError("; ".join(problems))
        return value

    @model_validator(mode="after")
    def _keys_fit_format(self) -> Source:
        problems = []
        if (self.format == "mapped") != (self.mapping is not None):
            problems.append("`mapping` must be given for format `mapped`, and only there")
        if self.fields is not None and self.format != "slurm_sacct":
            problems.append("`fields` is only for format `slurm_sacct`")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @field_validator("path")
    @classmethod
    def _known_places(cls, value: str) -> str:
        unknown = sorted(set(re.findall(r"\{[^{}]*\}", value)) - set(DATE_FIELDS))
        if unknown:
            raise ValueError(f"unknown place {unknown}; only {', '.join(DATE_FIELDS)} are known")
        return value

    @property
    def dated(self) -> bool:
        """True if the path holds all parts of the day."""
        return all(field in self.path for field in DATE_FIELDS)


def sacct_names(fields: str) -> list[str]:
    """Names of the columns in an argument of ``sacct --format``, without their widths."""
    return [field.strip().partition("%")[0] for field in fields.split(",")]


def sacct_problems(fields: str) -> list[str]:
    """Reasons why no row of sacct can be read with these columns; empty if rows can be read."""
    items = [field.strip() for field in fields.split(",")]
    names = [name.lower() for name in sacct_names(fields)]
    bad = [item for item in items if not SACCT_FIELD.fullmatch(item)]
    twice = sorted({name for name in names if names.count(name) > 1} - {""})
    problems = []
    if bad:
        problems.append(f"no columns of sacct: {', '.join(map(repr, bad))}")
    if twice:
        problems.append(f"given twice: {', '.join(twice)}")
    if set(SACCT_IDS).isdisjoint(names):
        problems.append("JobID or JobIDRaw must be among them")
    if set(SACCT_TIMES).isdisjoint(names):
        problems.append("Submit, Start or End must be among them")
    return problems
