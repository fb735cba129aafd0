"""Writes the files of one day as the vendors do, with the planted bad records."""

from __future__ import annotations

import gzip
from pathlib import Path

from jobs.trial.lab.feed import REGION, SOURCES, Feed
from jobs.trial.lab.world import ACCOUNT, K8S_CLUSTER, SLURM_CLUSTER

FILE_RECORDS = {"aws_cloudtrail": 2500, "github_audit": 2000, "kubernetes_audit": 4000}
SACCT_HEADER = (
    "JobID|JobIDRaw|JobName|Cluster|Partition|QOS|Account|User|UID|Submit|Eligible|Start|End|Elapsed|"
    "ExitCode|State|NNodes|NCPUS|ReqMem|AllocTRES|Timelimit|NodeList|WorkDir|SubmitLine"
)


def deliver(feed: Feed, day: int) -> None:
    """Write all records that arrive on a day into its folder, and drop them from the buffer."""
    sources = feed.buffer.pop(day, {})
    for source in SOURCES[:3]:
        rows = sorted(sources.get(source, []), key=lambda r: r[0])
        if rows:
            texts = [text for _, text in rows]
            for bad in feed.bad.get((source, day), ()):
                texts.insert(int(feed.rng.integers(len(texts))), bad)
                feed.malformed[source] += 1
            _write_files(feed, source, day, texts)
    rows = sorted(sources.get("slurm_sacct", []), key=lambda r: r[0])
    if rows:
        _write_sacct(feed, day, [text for _, text in rows])
    rows = sorted(sources.get("litellm_gateway", []), key=lambda r: r[0])
    if rows:
        data = "\n".join(text for _, text in rows) + "\n"
        packed = gzip.compress(data.encode(), 2, mtime=0)
        _path(feed, "litellm_gateway", day, "gateway.ndjson.gz").write_bytes(packed)
    for key in [k for k in feed.delays if k[1] < day - 4]:
        del feed.delays[key]


def _path(feed: Feed, source: str, day: int, name: str) -> Path:
    path = feed.folder / "raw" / source / feed.lab.date_of(day).strftime("%Y/%m/%d") / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _write_files(feed: Feed, source: str, day: int, texts: list[str]) -> None:
    size = FILE_RECORDS[source]
    parts = [texts[i : i + size] for i in range(0, len(texts), size)]
    for i, places in enumerate(parts):
        tag, minute = next(feed.hexadecimal), 1440 * (i + 1) // (len(parts) + 1) // 5 * 5
        part = [text for text in places if text]  # a silent log leaves a place empty
        hhmm = f"{minute // 60:02d}{minute % 60:02d}"
        compact = feed.lab.iso(day).replace("-", "")
        if source == "aws_cloudtrail":
            name = f"{ACCOUNT}_CloudTrail_{REGION}_{compact}T{hhmm}Z_{tag[:16]}.json.gz"
            data = '{"Records":[' + ",".join(part) + "]}"
        else:
            name = (
                f"audit-{K8S_CLUSTER}-{hhmm}-{i}.ndjson.gz"
                if source == "kubernetes_audit"
                else f"{compact}-{hhmm}-{tag[:8]}.ndjson.gz"
            )
            data = "\n".join(part) + "\n"
        packed = gzip.compress(data.encode(), 2, mtime=0)
        _path(feed, source, day, name).write_bytes(packed)
        if source == "aws_cloudtrail" and i == 0 and day == feed.truncate_day:
            # an interrupted first delivery of the same file
            name = name.replace(tag[:16], tag[16:])
            path = _path(feed, source, day, name)
            path.write_bytes(packed[: len(packed) * 3 // 5])
            feed.truncated.append(path.relative_to(feed.folder).as_posix())


def _write_sacct(feed: Feed, day: int, texts: list[str]) -> None:
    for bad in feed.bad.get(("slurm_sacct", day), ()):
        texts.insert(int(feed.rng.integers(len(texts))), bad)
        feed.malformed["slurm_sacct"] += 1
    path = _path(feed, "slurm_sacct", day, f"sacct-{SLURM_CLUSTER}.txt")
    path.write_text("\n".join([SACCT_HEADER, *texts]) + "\n", encoding="utf-8")
