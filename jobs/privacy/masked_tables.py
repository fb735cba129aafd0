"""The data to publish, under pseudonyms if ``privacy.pseudonymize`` is on.

The warehouse holds identities, and its readers may see them. findings.ndjson, report.html and
Elasticsearch are made only from the data of :class:`Inputs`, so identities are masked in one place.
Before a pseudonym is published, its identity is written to ``identities.jsonl`` in the folder
``privacy.identities``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.inputs.context import every_directory, load_context
from jobs.inputs.kept_context import kept_directories
from jobs.platform.delta_tables import open_table, table_exists
from jobs.platform.errors import RunError
from jobs.platform.frames import stored_frame
from jobs.privacy.identities_file import FILE_NAME, append_lines, pseudonym_key, read_identities
from models.privacy.masks import mask_context, mask_table
from models.privacy.names import known_people
from models.privacy.pseudonyms import Pseudonyms, finding_pseudonym, is_pseudonym
from models.resolve.networks import network_finder
from schemas.config import JobConfig
from schemas.context import names_of
from schemas.tables.access import ACCESS
from schemas.tables.findings import FINDINGS
from schemas.tables.spec import Table
from schemas.tables.values import HISTORY_DAYS

if TYPE_CHECKING:
    import pandas as pd

    from schemas.context import Context


@dataclass(frozen=True)
class Inputs:
    """Tables and context of ``day`` in the form to publish."""

    config: JobConfig
    day: date
    require_read: Callable[[Table, date, int], None]
    """Raises ValueError if the stage does not declare this table, last day and look-back."""
    saved: set[str] = field(default_factory=set)

    @cached_property
    def names(self) -> Pseudonyms | None:
        """Identities by pseudonym. None if identities are published unmasked."""
        if not self.config.privacy.pseudonymize:
            return None
        key = pseudonym_key(self.config)
        self.saved.update(line["pseudonym"] for line in read_identities(self.config))
        return _known_people(key, self.config, self.day)

    def table(
        self, table: Table, last: date, look_back: int = 0, columns: Sequence[str] | None = None
    ) -> pd.DataFrame:
        """As :func:`jobs.platform.frames.stored_frame`."""
        self.require_read(table, last, look_back)
        rows = stored_frame(self.config.storage, table, last, look_back, columns)
        if self.names is None:
            return rows
        masked = mask_table(self.names, rows)
        self._save(self.names)
        return masked

    def context(self, day: date) -> Context:
        """As :func:`jobs.inputs.context.load_context`."""
        context = load_context(self.config.context, day)
        if self.names is None:
            return context
        masked = mask_context(self.names, context)
        self._save(self.names)
        return masked

    def identities(self) -> list[dict[str, Any]]:
        """A document for each pseudonym so far; empty if pseudonyms are off."""
        if self.names is None:
            return []
        return [
            {"exfil": line | {"identity": line["identity"].encode(errors="replace").decode()}}
            for line in _lines(self.names.given)
        ]

    def _save(self, names: Pseudonyms) -> None:
        new = [line for line in _lines(names.given) if line["pseudonym"] not in self.saved]
        if new:
            append_lines(Path(self.config.privacy.identities) / FILE_NAME, new)
            self.saved.update(line["pseudonym"] for line in new)


def check_published(config: JobConfig, queue: Sequence[dict[str, Any]]) -> None:
    """RunError if a published queue holds identities but pseudonyms are on, or the reverse.

    Anybody may choose a login that looks like a pseudonym. So if pseudonyms are off, a name counts
    as a pseudonym only if identities.jsonl holds it.
    """
    wanted = config.privacy.pseudonymize
    shaped = {finding["user"]["id"] for finding in queue if is_pseudonym(finding["user"]["id"])}
    if wanted:
        mixed = any(finding["user"]["id"] not in shaped for finding in queue)
    else:
        given = {line["pseudonym"] for line in read_identities(config)} if shaped else set()
        mixed = bool(shaped & given)
    if mixed:
        held, now = ("identities", "on") if wanted else ("pseudonyms", "off")
        raise RunError(
            f"the findings in {config.output} hold {held}, and privacy.pseudonymize is {now} by "
            "now; move the files there away (and take another elasticsearch.prefix), then publish "
            "their days again"
        )


def stored_id(config: JobConfig, finding_id: str) -> str:
    """The id in the findings table of the finding that is published as ``finding_id``.

    ``finding_id`` may be either id or its first characters. Any other text is returned unchanged.
    """
    if not config.privacy.pseudonymize or not table_exists(config.storage, FINDINGS):
        return finding_id
    key = pseudonym_key(config)
    rows = open_table(config.storage, FINDINGS).to_pyarrow_dataset().to_table(columns=["event_id"])
    stored = set(rows.column("event_id").to_pylist())
    found = [each for each in stored if finding_pseudonym(key, each).startswith(finding_id)]
    return found[0] if len(found) == 1 else finding_id


def _known_people(key: bytes, config: JobConfig, day: date) -> Pseudonyms:
    sources = [source.name for source in config.sources]
    directories = []
    # The day's rows may name people whom the directory of now no longer lists.
    for rows in (*kept_directories(config.storage, day), *every_directory(config.context)):
        aliases: list[Any] = [names_of(each, sources) for each in rows["aliases"]]
        directories.append(rows.assign(aliases=aliases))
    known = {user for rows in directories for user in rows["user_id"]}
    return known_people(
        key,
        directories,
        sorted(_distinct(config.storage, "user_id", day) - known),
        sorted(_distinct(config.storage, "credentials", day)),
        config.privacy.hide,
        _network_names(load_context(config.context, day).networks),
    )


def _distinct(storage: str, column: str, last: date) -> set[str]:
    """Values of a column of ACCESS (or of its lists) in all days that published data rest on."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not table_exists(storage, ACCESS):
        return set()
    days = pc.field("day")
    scanner = (
        open_table(storage, ACCESS)
        .to_pyarrow_dataset()
        .scanner(
            columns=[column],
            filter=(days > pc.scalar(last - timedelta(days=HISTORY_DAYS)))
            & (days <= pc.scalar(last)),
        )
    )
    found: set[str] = set()
    for batch in scanner.to_batches():
        values = batch.column(0)
        if pa.types.is_list(values.type) or pa.types.is_large_list(values.type):
            values = pc.list_flatten(values)
        found.update(value for value in pc.unique(values).to_pylist() if value)
    return found


def _network_names(networks: pd.DataFrame) -> Callable[[str], str]:
    find = network_finder(networks)

    def name(address: str) -> str:
        found = find(address)
        return "/".join(part or "" for part in found) if found else ""

    return name


def _lines(given: dict[tuple[str, str], str]) -> list[dict[str, str]]:
    return [
        {"pseudonym": pseudonym, "identity": identity, "identity_kind": kind}
        for (kind, identity), pseudonym in sorted(given.items())
    ]
