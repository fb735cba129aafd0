"""Accesses in the logs of two sources, which stage ``aggregate`` counts once.

Two events of different sources are one access if they touch the same resource and

- have the same event_id and time in the same format (``mapped``: with the same mapping); examples
  are two trails of one account, or a stream and an export of one log, or
- are of CloudTrail or an S3 access log and of the same AWS request.

The id alone is not enough. Two clusters count their jobs from 1, two wikis their pages. One AWS
request makes several lines of the access log: one for each key deleted, two for a copy.

One of the two events is counted. CloudTrail goes before the S3 access log, because it names the
session and the key; otherwise the source that comes first in the config. If the counted event lacks
bytes or the object's size, it takes them from the other event of the same action class.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from jobs.stages.sql import FEW_DUPLICATES, quoted
from schemas.formats import FORMATS
from schemas.sources import Source

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

SHARED = [name for name, form in FORMATS.items() if form.same_accesses]
REQUEST = f"case when format in ({', '.join(map(quoted, SHARED))}) then details['request_id'] end"
# Several events may share an id; one keeps it. Where a log lacks that event, another one keeps it.
LOGGED_ID = "regexp_replace(event_id, '#[0-9a-f]{12}$', '')"
ACCESS = "log, access_id, access_time, resource"


def each_access_once(
    events: DataFrame, sources: Sequence[Source], path: str
) -> tuple[DataFrame, int | None]:
    """``events`` (with ``object_bytes``) without those that a better source has, and their number.

    The repeated events are written to ``path``. The number is None if no sources may overlap.
    """
    from pyspark.sql.functions import expr

    shared = overlapping(sources)
    if not shared:
        return events, None
    spark, keyed = events.sparkSession, _keyed(events, shared)
    # As with duplicates, candidates are found by a hash: there may be none, few, or all.
    places = keyed.groupBy("id_hash").agg(expr("min(place) < max(place) as several"))
    hashes = places.where("several").select("id_hash")
    found = hashes.limit(FEW_DUPLICATES + 1).collect()
    if not found:
        return events, 0
    few = len(found) <= FEW_DUPLICATES
    if few:
        rows = [(row.id_hash,) for row in found]
        hashes = spark.createDataFrame(rows, "id_hash bigint").hint("broadcast")
    changes = _changes(keyed.join(hashes, "id_hash", "left_semi"))
    changes.write.parquet(path)
    changed = spark.read.schema(changes.schema).parquet(path)
    dropped = changed.where("not counted").count()
    once = (
        events.join(changed.hint("broadcast") if few else changed, ["source", "event_id"], "left")
        .where("coalesce(counted, true)")
        .selectExpr(
            *(name for name in events.columns if name not in ("bytes_out", "object_bytes")),
            "coalesce(bytes_out, known_bytes) as bytes_out",
            "coalesce(object_bytes, known_size) as object_bytes",
        )
    )
    return once, dropped


def _keyed(events: DataFrame, shared: Sequence[Source]) -> DataFrame:
    """Events of the ``shared`` sources with the keys of one access, and a hash of these."""
    names = [source.name for source in shared]
    logs = sorted({_log(source) for source in shared})
    return (
        events.selectExpr(
            "source",
            "event_id",
            "action_class",
            "bytes_out",
            "object_bytes",
            f"{_number_of(names, range(len(shared)))} as place",
            f"{_number_of(names, [logs.index(_log(source)) for source in shared])} as log",
            f"coalesce({REQUEST}, {LOGGED_ID}) as access_id",
            # Two logs of one AWS request may differ by seconds.
            f"case when {REQUEST} is null then event_time end as access_time",
            "resource",
        )
        .where("place is not null")
        .selectExpr("*", f"xxhash64({ACCESS}) as id_hash")
    )


def _changes(candidates: DataFrame) -> DataFrame:
    """Events that do not count, and those that take a figure from another event."""
    return (
        candidates.selectExpr(
            "source",
            "event_id",
            "bytes_out",
            "object_bytes",
            f"place = min(place) over (partition by {ACCESS}) as counted",
            f"max(bytes_out) over (partition by {ACCESS}, action_class) as known_bytes",
            f"max(object_bytes) over (partition by {ACCESS}, action_class) as known_size",
        )
        .where(
            "not counted or (bytes_out is null and known_bytes is not null) "
            "or (object_bytes is null and known_size is not null)"
        )
        .drop("bytes_out", "object_bytes")
    )


def overlapping(sources: Sequence[Source]) -> list[Source]:
    """Sources that may have the same accesses as another source, the preferred one first."""
    logs = Counter(map(_log, sources))
    shared = [source for source in sources if logs[_log(source)] > 1]
    return sorted(shared, key=lambda source: source.format == "aws_s3_access")


def _log(source: Source) -> str:
    """A text that is the same for sources that may overlap."""
    if word := FORMATS[source.format].same_accesses:
        return word
    return source.mapping.model_dump_json() if source.mapping else source.format


def _number_of(names: Sequence[str], numbers: Sequence[int]) -> str:
    """SQL of the number of each source name; null for other sources."""
    cases = " ".join(
        f"when {quoted(name)} then {number}" for name, number in zip(names, numbers, strict=True)
    )
    return f"case source {cases} end"
