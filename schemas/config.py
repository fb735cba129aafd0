"""The job config: every key an analyst may set, its unit, and what raising it does.

``jobs/configs/default.yml`` holds every setting; a user's file holds only what differs. Models are
frozen and refuse unknown keys. Paths are already absolute when a :class:`JobConfig` exists.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from schemas.settings import Cidr, EnvironmentName, NonEmpty, Settings
from schemas.sources import Source

ENGINE_PATTERN = re.compile(r"sail|local\[(\d+|\*)\]|spark://\S+|yarn|k8s://\S+|sc://\S+")
SENSITIVITIES = (1, 2, 3, 4, 5)


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
    """Delta tables: a local folder, s3a://, gs://, abfss:// or hdfs://."""
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
