"""What a detector may look at: the day scored and the days before it, never a later one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from schemas.context import Context


@dataclass(frozen=True)
class History:
    """Inputs of the detectors for one day; ``day`` columns are ``datetime.date``.

    Frames are rows of the tables of schemas.tables:

    * ``access``: of the day alone;
    * ``entity_days``: of the 90 days that end with the day;
    * ``pairs``: of the seven days that end with the day, and before them of the 90 days those with
      a clone, a fetch or an entry, and those of places that hold content of an asset; without the
      columns that no detector reads;
    * ``novelty``: of the day, and of the 89 days before it the destinations;
    * ``places``: of the 89 days before, ``user_id`` and ``asset_id`` of successful accesses to the
      places that the day's copies, shares and writes, the ``grants`` and ``steps`` went to;
    * ``place_access``: of the day alone;
    * ``place_days``: of the day and of the day before it;
    * ``grants``: of the 31 days that end with the day;
    * ``steps``: of the 90 days, of whoever did more on the day than collect;
    * ``coverage``: of the day alone;
    * ``covered``: ``coverage`` of the 90 days, of which only the counts of objects;
    * ``first_reads``: ``coverage`` of the 30 days that end with the day, of the artefacts read on
      the day, with ``new_objects``;
    * ``api_days``: of the 30 days that end with the day; before the last seven of them without
      the columns of API_WEEK;
    * ``job_access``, ``source_days``, ``rare_acts``: of the 90 days that end with the day;
    * ``nodes``, ``edges``: the graph of the day.

    ``context``: with what the LINEAGE of the 90 days says about places (``derived``).

    ``assets``: by ``asset_id`` every asset touched in the 90 days, see
    :func:`models.features.assets.most_written`.
    """

    day: date
    access: pd.DataFrame
    entity_days: pd.DataFrame
    pairs: pd.DataFrame
    novelty: pd.DataFrame
    places: pd.DataFrame
    place_access: pd.DataFrame
    place_days: pd.DataFrame
    grants: pd.DataFrame
    steps: pd.DataFrame
    assets: pd.DataFrame
    coverage: pd.DataFrame
    covered: pd.DataFrame
    first_reads: pd.DataFrame
    api_days: pd.DataFrame
    job_access: pd.DataFrame
    source_days: pd.DataFrame
    rare_acts: pd.DataFrame
    nodes: pd.DataFrame
    edges: pd.DataFrame
    context: Context
