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
    """Records of each source and day that are searched for unknown fields; 0 searches none. Higher
    finds rarer fields and takes longer."""
    max_files: Annotated[int, Field(ge=1)]
    """Most files of one source for a day and its late days. With more files the run stops."""
    max_file_bytes: Annotated[int, Field(ge=1)]
    """Most unpacked bytes of one file. A larger file becomes one reject; this guards against gz
    bombs. A file that is one JSON document needs several times its size of memory."""
    max_record_bytes: Annotated[int, Field(ge=1000)]
    """Most bytes that `events` stores of one record. A larger record becomes a reject. Discarded
    fields do not count."""
    reject_line_chars: Annotated[int, Field(ge=0, le=100_000)]
    """Characters of a rejected record that `rejects` stores; 0 stores only the reason."""
    max_rejects: Annotated[int, Field(ge=1, le=100_000)]
    """Most rejects that are stored for each source and kind of reason. All others are counted."""
    session_lookback_days: Annotated[int, Field(ge=0, le=7)]
    """Days before the day that are searched for the caller who assumed a role session, by its
    access key. Higher resolves longer sessions and reads more events."""


class Quality(Settings):
    """The data-quality gate."""

    max_reject_share: Annotated[float, Field(ge=0, le=1)]
    """Share (0–1) of a source's records. If more are rejected, the day stops with exit code 3."""
    warn_reject_share: Annotated[float, Field(ge=0, le=1)]
    """Share (0–1) of a source's records. If more are rejected, `quality` keeps a warning."""
    warn_unresolved_share: Annotated[float, Field(ge=0, le=1)]
    """Share (0–1) of a source's events whose principal the directory does not know. If there are
    more, `quality` keeps a warning."""
    volume_window_days: Annotated[int, Field(ge=1, le=90)]
    """Trailing days whose volume is the expectation for a source; the same weekday counts double.
    Higher adapts more slowly."""
    min_volume_ratio: Annotated[float, Field(ge=0)]
    """Events of the day ÷ the trailing median. A lower ratio leaves a warning."""
    max_volume_ratio: Annotated[float, Field(gt=0)]
    """Events of the day ÷ the trailing median. A higher ratio leaves a warning."""
    max_silent_hours: Annotated[float, Field(gt=0, le=48)]
    """Hours between a source's last event and midnight UTC. A longer silence leaves a warning."""
    critical_missing_source: bool
    """true: a source without a file for the day stops the day. false: it leaves a warning."""

    @model_validator(mode="after")
    def _bounds_in_order(self) -> Quality:
        if self.min_volume_ratio >= self.max_volume_ratio:
            raise ValueError("`min_volume_ratio` must be less than `max_volume_ratio`")
        return self


class Assets(Settings):
    """Which asset a resource belongs to."""

    nested: Literal["longest", "most_sensitive"]
    """Which pattern of assets.csv counts if several match a resource. `most_sensitive` takes the
    most sensitive asset, and the longest pattern among equals. `longest` takes the longest pattern:
    a pattern of low sensitivity inside a sensitive one then hides the sensitive one."""


class Graph(Settings):
    """The user–asset graph."""

    window_days: Annotated[int, Field(ge=2, le=90)]
    """Trailing days of `access` in the graph. Higher treats rarer habits as known."""
    peers: Annotated[int, Field(ge=1, le=100)]
    """Learned peers with which each identity is compared. Higher makes the comparison broader."""
    factors: Annotated[int, Field(ge=1, le=200)]
    """Rank of the edge model; higher fits finer habits and overfits sooner."""
    seed: int
    """Seed of the layout and of the factorisation; any whole number."""


class Scoring(Settings):
    """From signals to findings (see models/scoring/)."""

    calibration_days: Annotated[int, Field(ge=1, le=90)]
    """Trailing days of statistics that calibrate p-values. Higher gives finer p-values and adapts
    more slowly."""
    points_cap: Annotated[float, Field(gt=0, le=20)]
    """Cap on −log10 p of one signal. Higher lets one loud signal count more."""
    sensitivity_weights: dict[int, Annotated[float, Field(ge=0)]]
    """Factor on points by the asset's sensitivity, from 1 (public) to 5 (frontier)."""
    unknown_sensitivity_weight: Annotated[float, Field(ge=0)]
    """Factor on points of resources that assets.csv does not list and that inherit nothing."""
    min_score: Annotated[float, Field(ge=0, le=100)]
    """Score (0–100) that a finding needs. Higher gives fewer findings."""
    ordinary_share: Annotated[float, Field(gt=0, le=1)]
    """Share (0–1) of the alert budget that an ordinary day fills on average; a bad day fills all of
    it. Higher shows weaker findings. 1 fills the budget every day."""
    half_life_days: Annotated[float, Field(gt=0)]
    """Days after which a finding that only repeats an earlier one has lost half its place in the
    queue. Higher keeps repetitions up longer."""
    evidence_p: Annotated[float, Field(gt=0, le=1)] = 0.05
    """p-value above which a signal gives no points. Higher lets weak signals add up."""
    score_scale: Annotated[float, Field(gt=0)] = 4.0
    """Raw points at which the score reaches 63. Higher lowers all scores and keeps their order."""
    leaver_factor: Annotated[float, Field(ge=1)] = 1.5
    """Factor on points of people who have given notice, leave soon or have left. Higher ranks them
    higher."""
    leaver_days: Annotated[int, Field(ge=0, le=365)] = 30
    """Days before the end date from which a person counts as leaving."""
    newcomer_factor: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Factor on points of an identity on its first day; it rises to 1 over `newcomer_days`."""
    newcomer_days: Annotated[int, Field(ge=1, le=89)] = 21
    """Days after which an identity is no longer a newcomer. Higher holds new identities down
    longer."""
    approved_assets: Annotated[float, Field(gt=0)]
    """Listed assets that an approval may cover and count fully. A wider one counts less in
    proportion. Higher lets wide approvals forgive more."""
    approved_days: Annotated[float, Field(gt=0)]
    """Days that an approval may last and count fully. A longer one counts less in proportion; one
    without an end lasts 365 days. Higher lets long approvals forgive more."""
    approved_factor: Annotated[float, Field(ge=0, le=1)] = 0.15
    """Factor on points of accesses that an approval in force covers; 0 hides them, 1 ignores
    approvals."""

    @field_validator("sensitivity_weights")
    @classmethod
    def _every_sensitivity(cls, value: dict[int, float]) -> dict[int, float]:
        if set(value) != set(SENSITIVITIES):
            raise ValueError(f"the keys must be {', '.join(map(str, SENSITIVITIES))}")
        return value


class Elasticsearch(Settings):
    """Elasticsearch, to which findings are published."""

    url: str | None
    """Address, such as `https://host:9200`; null publishes to files only."""
    api_key_env: EnvironmentName
    """Environment variable that holds the API key."""
    username: str | None
    """User for basic authentication instead of an API key."""
    password_env: EnvironmentName
    """Environment variable that holds that user's password."""
    ca_certs: str | None
    """PEM file of the certificate authority; null takes those of the system."""
    prefix: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,60}$")]
    """First part of every index name."""


class Privacy(Settings):
    """Pseudonyms instead of identities in everything published; the tables keep identities."""

    pseudonymize: bool
    """true: findings.ndjson, report.html and Elasticsearch hold pseudonyms instead of names."""
    key_env: EnvironmentName
    """Environment variable that holds the key of the pseudonyms, at least 32 bytes. Fingerprints of
    prompts get their key from it."""
    identities: NonEmpty
    """Folder of two files that only their owner may read: the identity behind each pseudonym, and
    the log of unmaskings."""
    hide: list[Literal["team", "title", "employment", "country", "start_date"]]
    """Columns of the directory that are not published beside a pseudonym, because together they
    name a person."""


class Suppression(Settings):
    """Signals that are known and accepted. They stay in `signals` and give no points."""

    user_id: str = "*"
    """Glob over user_id."""
    detector: str = "*"
    """Glob over the detector's name."""
    asset_id: str = "*"
    """Glob over asset ids."""
    until: str
    """Last day (YYYY-MM-DD) of the suppression. A suppression without an end is a blind spot."""
    reason: Annotated[str, Field(min_length=3)]
    """Reason, shown with the signals that it hides."""

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
    """Networks (CIDR) of our own proxies and load balancers. `source_ip` is the last forwarded
    address that is none of these. A source may have a list of its own."""
    sources: Annotated[list[Source], Field(min_length=1)]
    """The logs, each with at least a name, a format and a path."""
    context: NonEmpty
    """Folder with directory.csv, assets.csv, approvals.csv and networks.csv."""
    storage: NonEmpty
    """Place of the Delta tables: a local folder, `s3a://`, `gs://`, `abfss://` or
    `hdfs://namenode:port/folder`."""
    engine: str
    """`sail`, `local[N]`, `spark://…`, `yarn`, `k8s://…` or `sc://host:port`."""
    late_days: Annotated[int, Field(ge=0, le=14)]
    """Days after the day whose files are also read. Higher finds later deliveries, and each run
    reads more files."""
    alert_budget: Annotated[int, Field(ge=1, le=10_000)]
    """Findings of a day that enter the review queue. The others are kept outside it."""
    own_accounts: list[str]
    """Our cloud accounts, projects and organisations. Empty: they are learned from the logs."""
    elasticsearch: Elasticsearch
    output: NonEmpty
    """Place of findings.ndjson and report.html: as `storage`, a local folder or a URL."""
    ingest: Ingest
    quality: Quality
    assets: Assets
    graph: Graph
    scoring: Scoring
    privacy: Privacy
    detectors: dict[str, dict[str, Any]]
    """Settings by detector; only those that differ. `docs/detectors.md` explains them."""
    suppressions: list[Suppression]
    """Signals that are known and accepted."""

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
