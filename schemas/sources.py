"""Sources of a job config: where a log lies and how it is read."""

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
    """Field holding the time."""
    time_format: str | None = None
    """Spark datetime pattern; null: ISO 8601. `epoch_s` and `epoch_ms` for numbers. Zones: `VV` for
    `Europe/Berlin`, `z` for names (`CEST`, `PDT`) too, `O`, `X`, `x`, `Z` for offsets."""
    principal: str
    """Who acted."""
    action: str
    """The log's own verb."""
    resource: str
    """URI of what was touched."""
    action_class: dict[str, str] = Field(default_factory=lambda: {"*": "other"})
    """From the log's verb to an action class; `*` is every other verb."""
    event_id: str | None = None
    """The log's own unique id; null: a hash of the line."""
    object: str | None = None
    """The object within the resource."""
    destination: str | None = None
    """Where a copy, share or upload goes."""
    source_ip: str | None = None
    """Caller's address."""
    user_agent: str | None = None
    """Caller's program."""
    bytes_out: str | None = None
    """Bytes towards the caller."""
    credential: str | None = None
    """Key id or token id (never a secret)."""
    acting_as: str | None = None
    """Role or impersonated identity."""
    outcome: str | None = None
    """Field telling success; read with `outcome_values`."""
    outcome_values: dict[str, Literal["success", "failure", "unknown"]] = Field(
        default_factory=dict
    )
    """From the outcome field's values to an outcome; others are `unknown`."""
    details: dict[str, str] = Field(default_factory=dict)
    """Further fields to keep: name in `details` → field."""
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
        # A log that could write them could say who is whom.
        bad = sorted({*value} & {*IDENTITY_DETAILS})
        if bad:
            raise ValueError(f"{', '.join(bad)}: only `ingest` says so; take another name")
        return value


class Source(Settings):
    """One kind of log: a format, a path pattern and a time zone."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    """Free text, unique."""
    format: str
    """Format id, of schemas/formats."""
    path: NonEmpty
    """Glob; may hold {yyyy}/{mm}/{dd} of the day being run (UTC)."""
    timezone: str = "UTC"
    """Only used where records carry no zone."""
    cluster: str | None = None
    """kubernetes_audit, slurm_sacct: for logs that don't name their cluster."""
    trusted_proxies: list[Cidr] | None = None
    """Networks of the proxies before this log's server; null: those of the job."""
    fields: str | None = None
    """slurm_sacct: what was given to `sacct --format`, for files without a header
    (`--noheader`)."""
    mapping: Mapping | None = None
    """Only for `mapped`, where it must be given."""

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
        """Whether the path names the day."""
        return all(field in self.path for field in DATE_FIELDS)


def sacct_names(fields: str) -> list[str]:
    """Names of columns as given to ``sacct --format``, without their widths."""
    return [field.strip().partition("%")[0] for field in fields.split(",")]


def sacct_problems(fields: str) -> list[str]:
    """Why no row of sacct can be read by this list of columns; empty if rows can."""
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
