"""Fields and actions that no map or table lists: counted by name, reported once for each run."""

from __future__ import annotations

import json
import random
from collections import Counter
from datetime import date
from itertools import islice
from typing import TYPE_CHECKING, Any

from jobs.stages.ingest.formats import LOG_FORMATS
from jobs.stages.ingest.formats.log_format import LogFormat
from jobs.stages.ingest.gzip_files import CHUNK_BYTES, read_head
from jobs.stages.ingest.raw_file import RawFile
from jobs.stages.ingest.salvage.broken_json import json_problem, split_elements, split_lines
from jobs.stages.ingest.salvage.records import without_depths
from jobs.stages.ingest.staging import SourceFiles
from jobs.stages.sql import UNKNOWN_ACTION
from schemas.config import JobConfig
from schemas.formats.field_map import FieldMap, field_map, leaf_paths

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

SHOWN = 10


def unknown_fields_note(inputs: list[SourceFiles], config: JobConfig, day: date) -> str:
    """Unknown and missing fields in words; empty if there are none."""
    unknown = unknown_fields(inputs, config, day)
    missing = missing_columns(inputs)
    notes = []
    if unknown:
        named = ", ".join(f"{name} ({count})" for name, count in sorted(unknown.items())[:SHOWN])
        more = f" and {len(unknown) - SHOWN} more" if len(unknown) > SHOWN else ""
        notes.append(f"unknown fields in the sample: {named}{more}")
    if missing:
        notes.append(f"columns that the mapping reads and a file lacks: {', '.join(missing)}")
    return "; ".join(notes)


def unknown_actions_note(events: DataFrame) -> str:
    """Actions that the formats' tables do not list, the most frequent first, in words.

    Empty if there are none.
    """
    counts = (
        events.selectExpr("source", f"details['{UNKNOWN_ACTION}'] as action")
        .where("action is not null")
        .groupBy("source", "action")
        .count()
    )
    first = counts.orderBy("count", "source", "action", ascending=[False, True, True])
    rows = first.limit(SHOWN + 1).collect()
    if not rows:
        return ""
    named = ", ".join(f"{row.source}: {row.action} ({row['count']})" for row in rows[:SHOWN])
    return f"unknown actions: {named}{' and more' if len(rows) > SHOWN else ''}"


def missing_columns(inputs: list[SourceFiles]) -> list[str]:
    """``source: column`` of columns that a mapping reads and the header of a CSV log lacks."""
    return sorted(
        {
            f"{entry.source.name}: {name}"
            for entry in inputs
            if (missing := LOG_FORMATS[entry.source.format].missing_fields)
            for header in {raw_file.header for raw_file in entry.files if raw_file.header}
            for name in missing(header, entry.source)
        }
    )


def unknown_fields(inputs: list[SourceFiles], config: JobConfig, day: date) -> Counter[str]:
    """Fields the maps do not know, counted on a sample of the day's records.

    The sample is the first records of files drawn with the day as the seed, at most
    ``ingest.unknown_field_sample`` records over all sources. Keys: ``source: field``.
    """
    sources = [e for e in inputs if e.good and e.source.format != "mapped"]
    counts: Counter[str] = Counter()
    if not sources:
        return counts
    per_source = config.ingest.unknown_field_sample // len(sources)
    for entry in sources:
        known = field_map(entry.source.format)
        files = [f for f in entry.good if f.day in (None, day)] or entry.good
        chosen = random.Random(f"{day}{entry.source.name}").sample(files, min(3, len(files)))
        for raw_file in chosen:
            for record in _sample(raw_file, known, per_source // len(chosen)):
                counts.update(
                    f"{entry.source.name}: {path}"
                    for path in paths_within(record, LOG_FORMATS[entry.source.format])
                    if not known.knows(path)
                )
    return counts


def paths_within(record: dict[str, Any], form: LogFormat) -> set[str]:
    """Dotted paths of the leaves of a record, and of its wrapper without the record."""
    name = form.wrapper_of(record)
    *parents, leaf = form.wrapper(name).path.split(".") if name else [""]
    holder: Any = record
    for step in parents:
        holder = holder.get(step)
        if not isinstance(holder, dict):
            return leaf_paths(record)
    inner = holder.pop(leaf, None)
    if isinstance(inner, str) and not json_problem(inner):
        inner = json.loads(inner)
    return leaf_paths(record) | leaf_paths(inner)


def _sample(raw_file: RawFile, known: FieldMap, count: int) -> list[dict[str, Any]]:
    """The first ``count`` records of a file that parse, read from its first megabyte."""
    if raw_file.header is not None:
        # Names of the map are known in any case of the header's letters.
        spelled = {name.lower(): name for name in (*known.used, *known.ignored)}
        names = raw_file.header.rstrip("|").split("|")
        return [{spelled.get(name.lower(), name): "" for name in names}]
    head = read_head(raw_file.path, CHUNK_BYTES)[0].decode("utf-8", errors="replace")
    pieces = (
        split_lines(head, True)
        if raw_file.framing == "lines"
        else split_elements(head, raw_file.framing, True)
    )
    texts = (text for _, text, problem in pieces if problem is None and not json_problem(text))
    return [json.loads(without_depths(text)) for text in islice(texts, count)]
