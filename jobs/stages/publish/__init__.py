"""Stage ``publish``: the day's findings to findings.ndjson, report.html and Elasticsearch.

The findings come from their table; none is computed again. Everything is read through
``jobs.privacy.masked_tables.Inputs``, so that names are masked where the config asks for it. The
two files are replaced together. Elasticsearch comes last, so a server that is down costs neither
file. No engine is needed, so a day can be published again at any time.
"""

from __future__ import annotations

from datetime import date

from jobs.platform.files import write_files
from jobs.platform.run_lock import folder_lock
from jobs.privacy.masked_tables import Inputs, check_published
from jobs.stages.publish.elasticsearch.inputs import FINDING_DAYS, read_findings
from jobs.stages.publish.elasticsearch.send_day import send_tables
from jobs.stages.publish.queue_file import FILE_NAME as QUEUE_NAME
from jobs.stages.publish.queue_file import queue_day, queue_lines, read_queue, with_day
from jobs.stages.publish.report.evidence import TRAIL_DAYS
from jobs.stages.publish.report.inputs import make_report
from jobs.stages.publish.report.page import REPORT_DAYS
from jobs.stages.stage import Outcome, Read, Stage, StageTables
from schemas.config import JobConfig
from schemas.tables.access import ACCESS
from schemas.tables.events import EVENTS, REJECTS
from schemas.tables.findings import FINDINGS as FINDINGS_TABLE
from schemas.tables.graph import GRAPH_EDGES, GRAPH_NODES
from schemas.tables.quality import QUALITY
from schemas.tables.signals import SIGNALS

REPORT_NAME = "report.html"
MIB = 1024 * 1024


def publish_day(tables: StageTables, config: JobConfig, day: date) -> Outcome:
    """Publish the findings of ``day``; raises RunError unless Elasticsearch takes everything."""
    inputs = Inputs(config, day, tables.require_read)
    folder = config.output.rstrip("/")
    # Two processes may publish at once; each adds its day to the same file.
    with folder_lock(folder):
        published = read_queue(folder)
        check_published(config, published)
        documents = read_findings(inputs)
        queue = with_day(published, day, documents)
        report = make_report(inputs, queue)
        files = {QUEUE_NAME: queue_lines(queue), REPORT_NAME: [report]}
        write_files({f"{folder}/{name}": parts for name, parts in files.items()})
    days = len({queue_day(finding) for finding in queue})
    size = len(report.encode("utf-8", "replace"))
    summary = f"{len(documents)} findings; {days} days in the queue, report {size / MIB:.1f} MiB"
    sent = "" if config.elasticsearch.url is None else f"Elasticsearch: {send_tables(inputs)}"
    return Outcome({}, (summary, sent))


STAGE = Stage(
    name="publish",
    reads=(
        Read(FINDINGS_TABLE, FINDING_DAYS - 1),
        Read(ACCESS, REPORT_DAYS + TRAIL_DAYS - 1),
        Read(GRAPH_NODES, REPORT_DAYS - 1),
        Read(GRAPH_EDGES, REPORT_DAYS - 1),
        Read(EVENTS),
        Read(REJECTS),
        Read(QUALITY),
        Read(SIGNALS),
    ),
    writes=(),
    work=publish_day,
    needs=(FINDINGS_TABLE, ACCESS, GRAPH_NODES, GRAPH_EDGES),
    sent=(EVENTS, REJECTS, QUALITY, SIGNALS),
)
