"""The job config: every key an analyst may set, its unit, and what raising it does.

``jobs/configs/default.yml`` holds every setting; a user's file holds only what differs. Models are
frozen and refuse unknown keys. Paths are already absolute when a :class:`JobConfig` exists.
"""

from __future__ import annotations

import ipaddress
import re
from datetime import date
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from schemas.formats import FORMATS
from schemas.tables import ACTION_CLASSES, IDENTITY_DETAILS
from schemas.time_pattern import read_time_pattern

ENGINE_PATTERN = re.compile(r"sail|local\[(\d+|\*)\]|spark://\S+|yarn|k8s://\S+|sc://\S+")
DATE_FIELDS = ("{yyyy}", "{mm}", "{dd}")
NonEmpty = Annotated[str, Field(min_length=1)]
EnvironmentName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
"""Name of an environment variable; the pattern also keeps most pasted secrets out."""


def _cidr(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value))
    except ValueError as error:
        raise ValueError(f"{error} (a network such as 10.0.0.0/8 is expected)") from error


Cidr = Annotated[str, AfterValidator(_cidr)]
"""A network such as 10.0.0.0/8 or 2001:db8::/32, or one address."""
SACCT_FIELD = re.compile(r"[A-Za-z]+(%-?[0-9]+)?")
SACCT_IDS = ("jobid", "jobidraw")
SACCT_TIMES = ("submit", "start", "end")
SENSITIVITIES = (1, 2, 3, 4, 5)
EPOCHS = ("epoch_s", "epoch_ms")
"""Values of ``time_format`` for numbers: seconds or milliseconds since 1970."""


class Settings(BaseModel):
    """Base of every part of the config: frozen, unknown keys refused."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )


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
    """Format id, of schemas/formats.yml."""
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


class Ingest(Settings):
    """Reading raw logs."""

    unknown_field_sample: Annotated[int, Field(ge=0, le=1_000_000)]
    """Records of the day looked at for fields that the field map does not know."""
    max_files: Annotated[int, Field(ge=1)]
    """Files of a source for a day, its late days included, beyond which the run stops."""
    max_file_bytes: Annotated[int, Field(ge=1)]
    """Unpacked bytes of one file beyond which it is not read (guards against gz bombs)."""
    max_record_bytes: Annotated[int, Field(ge=1000)]
    """Bytes kept of one raw record (in the columns of `events`) beyond which it is rejected."""
    reject_line_chars: Annotated[int, Field(ge=0, le=100_000)]
    """Characters of a rejected record that are kept."""
    max_rejects: Annotated[int, Field(ge=1, le=100_000)]
    """Rejected records kept of a source for each kind of reason; all others are only counted."""
    session_lookback_days: Annotated[int, Field(ge=0, le=7)]
    """Days before the day searched for who assumed a role session (by access key)."""


class Quality(Settings):
    """The data-quality gate."""

    max_reject_share: Annotated[float, Field(ge=0, le=1)]
    """Share of a source's records rejected, beyond which the day stops."""
    warn_reject_share: Annotated[float, Field(ge=0, le=1)]
    """The same, beyond which a warning is kept."""
    warn_unresolved_share: Annotated[float, Field(ge=0, le=1)]
    """Share of a source's events whose principal the directory does not know; warns beyond."""
    volume_window_days: Annotated[int, Field(ge=1, le=90)]
    """Trailing days whose volume per source is the expectation (same weekday counts double)."""
    min_volume_ratio: Annotated[float, Field(ge=0)]
    """Events of the day ÷ trailing median, below which a warning is kept."""
    max_volume_ratio: Annotated[float, Field(gt=0)]
    """The same, above."""
    max_silent_hours: Annotated[float, Field(gt=0, le=48)]
    """Hours between a source's last event and the end of the day beyond which it is stale."""
    critical_missing_source: bool
    """true: a source without any file for the day stops the day; false: a warning is kept."""

    @model_validator(mode="after")
    def _bounds_in_order(self) -> Quality:
        if self.min_volume_ratio >= self.max_volume_ratio:
            raise ValueError("`min_volume_ratio` must be less than `max_volume_ratio`")
        return self


class Assets(Settings):
    """Which asset a resource belongs to."""

    nested: Literal["longest", "most_sensitive"]
    """Of several patterns that match: the longest, or that of the most sensitive asset and among
    equally sensitive ones the longest."""


class Graph(Settings):
    """The user–asset graph."""

    window_days: Annotated[int, Field(ge=2, le=90)]
    """Trailing days of `access` that make the graph."""
    peers: Annotated[int, Field(ge=1, le=100)]
    """Learned peers kept for each user."""
    factors: Annotated[int, Field(ge=1, le=200)]
    """Rank of the edge model; higher fits finer habits and overfits sooner."""
    seed: int
    """Seed of the layout and of the factorisation."""


class Scoring(Settings):
    """From signals to findings (see models/scoring.py)."""

    calibration_days: Annotated[int, Field(ge=1, le=90)]
    """Trailing days of statistics that calibrate p-values."""
    points_cap: Annotated[float, Field(gt=0, le=20)]
    """Cap on −log10 p of one signal; higher lets one loud signal say more."""
    sensitivity_weights: dict[int, Annotated[float, Field(ge=0)]]
    """Factor on points by the asset's sensitivity 1–5."""
    unknown_sensitivity_weight: Annotated[float, Field(ge=0)]
    """The same for resources that assets.csv does not list."""
    min_score: Annotated[float, Field(ge=0, le=100)]
    """Entities scoring below get no finding."""
    half_life_days: Annotated[float, Field(gt=0)]
    """Half-life with which a finding already shown lowers the rank of its mere repetition."""
    evidence_p: Annotated[float, Field(gt=0, le=1)] = 0.05
    """p-value above which a signal is no evidence at all; higher lets weak signals add up."""
    score_scale: Annotated[float, Field(gt=0)] = 10.0
    """Raw points at which the score reaches 63; higher lowers all scores, and keeps their order."""
    leaver_factor: Annotated[float, Field(ge=1)] = 1.5
    """Factor on points of people who have given notice, leave soon or have left."""
    leaver_days: Annotated[int, Field(ge=0, le=365)] = 30
    """Days before an end date from which somebody counts as leaving."""
    newcomer_factor: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Factor on points of identities on their first day; rises to 1 over `newcomer_days`."""
    newcomer_days: Annotated[int, Field(ge=1, le=89)] = 21
    """Days after which an identity is no newcomer any more."""
    approved_factor: Annotated[float, Field(ge=0, le=1)] = 0.15
    """Factor on points of what an approval in force covers; 0 hides it, 1 ignores approvals."""

    @field_validator("sensitivity_weights")
    @classmethod
    def _every_sensitivity(cls, value: dict[int, float]) -> dict[int, float]:
        if set(value) != set(SENSITIVITIES):
            raise ValueError(f"the keys must be {', '.join(map(str, SENSITIVITIES))}")
        return value


class Elasticsearch(Settings):
    """Where findings are published; url null: nowhere."""

    url: str | None
    """https://host:9200"""
    api_key_env: EnvironmentName
    """Environment variable holding the API key."""
    username: str | None
    """User for basic authentication instead of an API key."""
    password_env: EnvironmentName
    """Environment variable holding that user's password."""
    ca_certs: str | None
    """PEM file of the certificate authority."""
    prefix: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,60}$")]
    """First part of every index name."""


class Privacy(Settings):
    """Pseudonyms instead of identities in all that is published; the tables keep identities."""

    pseudonymize: bool
    """true: findings.ndjson, report.html and Elasticsearch name nobody."""
    key_env: EnvironmentName
    """Environment variable holding the key of the pseudonyms, at least 32 bytes."""
    identities: NonEmpty
    """Folder of the file that says which identity a pseudonym stands for, and of the log of
    unmaskings; for its owner only."""
    hide: list[Literal["team", "title", "employment", "country", "start_date"]]
    """Columns of the directory that are not published beside a pseudonym."""


class Suppression(Settings):
    """Signals that are known and accepted; they stay in `signals` and get no points."""

    user_id: str = "*"
    """Glob over user_id."""
    detector: str = "*"
    """Glob over the detector's name."""
    asset_id: str = "*"
    """Glob over asset ids."""
    until: str
    """Last day (YYYY-MM-DD) it holds; a suppression without an end is a blind spot."""
    reason: Annotated[str, Field(min_length=3)]
    """Why; shown with what it hides."""

    @field_validator("until", mode="before")
    @classmethod
    def _iso_day(cls, value: object) -> object:
        # YAML reads an unquoted 2026-10-05 as a date.
        text = value.isoformat() if type(value) is date else value
        if not isinstance(text, str) or not re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            raise ValueError("must be a day, YYYY-MM-DD")
        date.fromisoformat(text)
        return text


class JobConfig(Settings):
    """A whole job."""

    trusted_proxies: list[Cidr]
    """Networks of our own proxies, whose forwarded addresses are believed; empty: none are."""
    sources: Annotated[list[Source], Field(min_length=1)]
    """The logs: a list, each with at least name, format and path."""
    context: NonEmpty
    """Folder with the CSV files."""
    storage: NonEmpty
    """Delta tables: a local folder, s3a://, gs:// or abfss://."""
    engine: str
    """sail | local[N] | spark://… | yarn | k8s://… | sc://host:port"""
    late_days: Annotated[int, Field(ge=0, le=14)]
    """Following days whose files are also read."""
    alert_budget: Annotated[int, Field(ge=1, le=10_000)]
    """Findings a day that enter the queue."""
    own_accounts: list[str]
    """Cloud accounts that are ours; empty: learned from the logs."""
    elasticsearch: Elasticsearch
    output: NonEmpty
    """Folder of findings.ndjson and report.html."""
    ingest: Ingest
    quality: Quality
    assets: Assets
    graph: Graph
    scoring: Scoring
    privacy: Privacy
    detectors: dict[str, dict[str, Any]]
    """Settings by detector; what each means is in models/detectors/NAME.yml."""
    suppressions: list[Suppression]
    """Known and accepted signals."""

    @field_validator("engine")
    @classmethod
    def _known_engine(cls, value: str) -> str:
        if not ENGINE_PATTERN.fullmatch(value):
            raise ValueError(
                f"unknown engine {value!r}; one of sail, local[N], spark://…, yarn, k8s://…, "
                "sc://host:port"
            )
        return value

    @field_validator("sources")
    @classmethod
    def _unique_names(cls, value: list[Source]) -> list[Source]:
        names = [source.name for source in value]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"source names must be unique; given twice: {twice}")
        return value

    @field_validator("sources")
    @classmethod
    def _with_proxies(cls, value: list[Source], info: ValidationInfo) -> list[Source]:
        """The sources with the job's proxies where they have none of their own."""
        proxies = info.data.get("trusted_proxies", [])
        return [
            source
            if source.trusted_proxies is not None
            else source.model_copy(update={"trusted_proxies": proxies})
            for source in value
        ]
