"""Notes of ``ingest`` on a day: sums of records, and every source of loss."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from itertools import islice

from jobs.platform.terminal_text import printable
from jobs.stages.ingest.dating import CLOCK
from jobs.stages.ingest.listing import (
    dated_path,
    day_folder,
    own_folder,
    real_path,
    unmatched_files,
)
from jobs.stages.ingest.salvage.rejects import Reject
from jobs.stages.ingest.staging import SourceFiles
from models.resolve.assets import concealing_patterns
from schemas.config import JobConfig
from schemas.context import Context


def sum_of_records(parts: dict[str, int]) -> str:
    """The number of records and its parts, in words."""
    named = " + ".join(f"{count:,} {name}" for name, count in parts.items())
    return f"{sum(parts.values()):,} records = {named}"


def sources_with_rejects(inputs: list[SourceFiles], sums: dict[str, Counter[str]]) -> list[str]:
    """The sum of records of each source that has rejects.

    Empty for a job of one source: the day's sum is its sum.
    """
    names = [entry.source.name for entry in inputs if sums["rejects"][entry.source.name]]
    return [
        f"of {name}: {sum_of_records({part: counts[name] for part, counts in sums.items()})}"
        for name in names
        if len(inputs) > 1
    ]


def clock_note(rejects: list[Reject]) -> str:
    """Rejects whose times cannot be right, by source, each with an example; empty if none."""
    wrong: dict[str, list[str]] = {}
    counts: Counter[str] = Counter()
    for name, _, file, position, reason, _, records in rejects:
        if reason.endswith(CLOCK):
            counts[name] += records or 1
            wrong.setdefault(name, []).append(f"{file} {position}: {reason.removesuffix(CLOCK)}")
    if not wrong:
        return ""
    named = ", ".join(
        f"{name}: {counts[name]:,} (such as {found[-1]})" for name, found in sorted(wrong.items())
    )
    return f"WRONG TIMES, is the clock right? {named}"


def assets_note(context: Context, config: JobConfig) -> str:
    """Asset patterns within the pattern of a more sensitive asset; empty if there are none."""
    found = concealing_patterns(context.assets)
    if not found:
        return ""
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    held = "conceal it" if config.assets.nested == "longest" else "count as the more sensitive one"
    return f"ASSETS of lower sensitivity within another {held}: {found[0]}{more}"


def missing_note(inputs: list[SourceFiles]) -> str:
    """Sources without a file that can be opened; empty if there are none."""
    missing = [e.source.name for e in inputs if all(f.refused for f in e.files)]
    return f"NO FILE for {', '.join(missing)}" if missing else ""


def odd_note(inputs: list[SourceFiles]) -> str:
    """Sockets, pipes, devices and links that lead out of a source's folder; empty if none."""
    odd = [raw_file for entry in inputs for raw_file in entry.files if raw_file.refused]
    if not odd:
        return ""
    first = f"{printable(odd[0].path)}: {odd[0].refused}"
    return f"NOT OPENED: {len(odd):,} odd files (such as {first})"


def unmatched_note(inputs: list[SourceFiles], config: JobConfig, day: date) -> str:
    """Files in the day's folders that no source's path matches; empty if there are none."""
    matched = {real_path(f.path) for entry in inputs for f in entry.files}
    unmatched: dict[str, str] = {}
    for offset in range(config.late_days + 1):
        for source in config.sources:
            if folder := day_folder(source.path):
                found = unmatched_files(
                    dated_path(folder, day + timedelta(days=offset)),
                    own_folder(source.path),
                    matched,
                )
                for path in islice(found, config.ingest.max_files):
                    unmatched.setdefault(path, source.name)
    if not unmatched:
        return ""
    path = min(unmatched)
    return (
        f"NOT READ: {len(unmatched):,} files in the folders of these days that the path of no "
        f"source matches (such as {printable(path)}, in a folder of {unmatched[path]})"
    )
