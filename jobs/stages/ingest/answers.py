"""Names, folders and addresses of a day, resolved where the engine keeps them.

Their number has no bound, so the driver never sees them. The engine finds the distinct values, and
its Python workers ask a finder of :mod:`models.resolve` about each. The answers become a Parquet
file, so that the engine knows their size before it joins them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from jobs.stages.sql import computed_once
from models.resolve.assets import asset_finder
from models.resolve.identities import IdentityMatch, identity_finder
from models.resolve.networks import network_finder
from models.resolve.spellings import any_spelling_finder
from schemas.config import JobConfig
from schemas.context import Context

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

Answer = tuple[Any, ...]
Find = Callable[..., Answer | None]
"""From the values of one row of keys to the values of its answer; None: no row."""
Finder = Callable[[], Find]
Worker = Callable[[Iterable["pa.RecordBatch"]], Iterator["pa.RecordBatch"]]

MAX_CANDIDATES = 10
FEW_ROWS = 100_000
"""Most rows of a frame that the engine is told to send to all executors."""
NETWORK = {"source_ip": "string", "zone": "string", "country": "string", "asn": "string"}
ASSET = {"lookup": "string", "asset_id": "string", "prefix_chars": "int"}
IDENTITY = {
    "source": "string",
    "names": "string",
    "format": "string",
    "alias_user": "string",
    "alias_kind": "string",
    "alias_note": "string",
    "namesake": "string",
    "of_foreign": "boolean",
}


def networks_of(good: DataFrame, context: Context, staging: str) -> DataFrame:
    """The network of each address of the day's records; columns: :data:`NETWORK`."""
    addresses = good.select("source_ip").where("source_ip <> ''").distinct()
    work = worker(finder_of_networks(context), NETWORK)
    return _answers(addresses, work, NETWORK, f"{staging}/networks.parquet")


def assets_of(good: DataFrame, context: Context, config: JobConfig, staging: str) -> DataFrame:
    """The asset of each folder or whole URI in ``lookup``; columns: :data:`ASSET`."""
    lookups = good.select("lookup").where("lookup <> ''").distinct()
    work = worker(finder_of_assets(context, config), ASSET)
    return _answers(lookups, work, ASSET, f"{staging}/assets.parquet")


def identities_of(
    good: DataFrame, context: Context, config: JobConfig, accounts: list[str], staging: str
) -> DataFrame:
    """The identity of the names of each record; columns: :data:`IDENTITY`.

    ``of_foreign``: the names are of an account that is not ours. ``accounts``: the AWS accounts
    whose trails are among the logs.
    """
    askers = good.select("source", "names", "format").where("names <> ''").distinct()
    work = worker(finder_of_identities(context, config, accounts), IDENTITY)
    return _answers(askers, work, IDENTITY, f"{staging}/identities.parquet")


def finder_of_networks(context: Context) -> Finder:
    """Makes the function from an address to its network."""
    networks = context.networks

    def finder() -> Find:
        return network_finder(networks)

    return finder


def finder_of_assets(context: Context, config: JobConfig) -> Finder:
    """Makes the function from a folder or URI to its asset."""
    assets, nested = context.assets, config.assets.nested

    def finder() -> Find:
        find = any_spelling_finder(asset_finder(assets, nested), assets, nested)

        def answer(uri: str) -> Answer | None:
            match = find(uri)
            return (match.asset_id, match.prefix_chars) if match else None

        return answer

    return finder


def finder_of_identities(context: Context, config: JobConfig, accounts: list[str]) -> Finder:
    """Makes the function from source, names and format of a record to its identity."""
    people, own = context.directory, list(config.own_accounts)
    sources = [source.name for source in config.sources]

    def finder() -> Find:
        find = identity_finder(people, sources, own, accounts)

        def answer(source: str, names: str, format_id: str) -> Answer | None:
            match = find(names, source, format_id)
            if match == IdentityMatch() and not match.foreign:
                return None
            return (*_identity(match), match.namesake, match.foreign)

        return answer

    return finder


def _identity(match: IdentityMatch) -> tuple[str | None, str | None, str | None]:
    """User id, kind, and a JSON object for ``details``: the rule or the candidates of the match.

    The JSON object is None for an exact match.
    """
    note = {}
    if match.candidates:
        note["identity_candidates"] = ";".join(match.candidates[:MAX_CANDIDATES])
    if match.identity is None:
        return None, None, json.dumps(note) if note else None
    user = match.identity
    if user.rule and user.name:
        note = {"identity_rule": user.rule, "identity_name": user.name}
    return user.user_id, user.kind, json.dumps(note) if note else None


def _answers(keys: DataFrame, work: Worker, columns: Mapping[str, str], path: str) -> DataFrame:
    """One row for each row of ``keys`` with an answer, hinted as small where it is."""
    ddl = ", ".join(f"{name} {type_}" for name, type_ in columns.items())
    return hinted(computed_once(keys.mapInArrow(work, ddl), path))


def hinted(frame: DataFrame) -> DataFrame:
    """A computed frame with the hint to send it to all executors, unless it has many rows.

    The driver of Apache Spark holds each frame that it sends to all executors.
    """
    few = frame.limit(FEW_ROWS + 1).count() <= FEW_ROWS
    return frame.hint("broadcast") if few else frame


def worker(finder: Finder, columns: Mapping[str, str]) -> Worker:
    """The function that a Python worker of the engine applies to its part of the keys.

    ``columns``: the columns of the keys and of the answers with their types. The finder is made
    once for each part.
    """

    def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        types = {"string": pa.string(), "int": pa.int32(), "boolean": pa.bool_()}
        find = finder()
        for batch in batches:
            keys = zip(*(column.to_pylist() for column in batch.columns), strict=True)
            rows = [(*key, *found) for key in keys if (found := find(*key)) is not None]
            arrays = [
                pa.array([row[place] for row in rows], types[type_])
                for place, type_ in enumerate(columns.values())
            ]
            yield pa.RecordBatch.from_arrays(arrays, names=list(columns))

    return work
