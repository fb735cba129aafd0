"""Every table of the warehouse, described once.

A :class:`Table` gives the Spark DDL that writers enforce (:meth:`Table.ddl`). The expectation suite
of the ``check`` stage and ``docs/tables.md`` are generated from the same specs. All timestamps are
UTC. ``day`` is the partition column of every table. It is the day of the event's own timestamp,
never of the file that held it.
"""

from __future__ import annotations

from schemas.tables.access import ACCESS, OBJECT_ACCESS, PLACE_ACCESS
from schemas.tables.api import API_DAYS
from schemas.tables.coverage import COVERAGE
from schemas.tables.events import EVENTS, REJECTS
from schemas.tables.features import (
    ASSET_DAYS,
    ENTITY_DAYS,
    GRANTS,
    LINEAGE,
    NOVELTY,
    PAIRS,
    PLACE_DAYS,
    STEPS,
)
from schemas.tables.findings import FINDINGS
from schemas.tables.graph import GRAPH_EDGES, GRAPH_NODES
from schemas.tables.jobs import JOB_ACCESS, JOBS
from schemas.tables.quality import QUALITY
from schemas.tables.runs import CONTEXT_FILES, RUNS
from schemas.tables.signals import SIGNALS
from schemas.tables.sources import RARE_ACTS, SOURCE_DAYS

TABLES = (
    EVENTS,
    REJECTS,
    QUALITY,
    ACCESS,
    OBJECT_ACCESS,
    API_DAYS,
    PLACE_ACCESS,
    JOBS,
    JOB_ACCESS,
    SOURCE_DAYS,
    RARE_ACTS,
    ASSET_DAYS,
    NOVELTY,
    PLACE_DAYS,
    GRANTS,
    STEPS,
    LINEAGE,
    PAIRS,
    ENTITY_DAYS,
    COVERAGE,
    GRAPH_NODES,
    GRAPH_EDGES,
    SIGNALS,
    FINDINGS,
)
"""Tables of the stages. A stage replaces its own day in them."""
RECORDS = (RUNS, CONTEXT_FILES)
"""Tables of the pipeline itself, which say how the rows of a day were made."""
