"""Stage ``findings``: the day's review queue, one scored and explained finding per entity."""

from __future__ import annotations

import json
from collections.abc import Iterable, Set
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from jobs.platform.delta_tables import to_frames
from jobs.platform.frames import is_one_of
from jobs.stages.history import HISTORY_READS, read_history, settings_of
from jobs.stages.stage import Outcome, Read, Stage, StageTables
from models.reasons.reason import dump_reasons
from schemas.finding import KEPT_PER_BUDGET, validate_finding
from schemas.tables.access import ACCESS
from schemas.tables.coverage import COVERAGE
from schemas.tables.findings import FINDINGS
from schemas.tables.signals import SIGNALS
from schemas.tables.values import HISTORY_DAYS

if TYPE_CHECKING:
    import pandas as pd

    from models.features.history import History
    from models.findings.document import Finding
    from models.scoring.points import ScoredEntity
    from schemas.config import JobConfig

MEMORY_HALF_LIVES = 4
"""Half-lives after which a shown finding is forgotten; a sixteenth of its weight is left."""
EVIDENCE_COLUMNS = ("day", "user_id", "asset_id", "action_class", "events", "bytes_out",
                    "bytes_estimated", "objects", "first_time", "last_time", "addresses",
                    "acting_as", "sessions", "chosen_names")  # fmt: skip
APPROVED_COLUMNS = ("day", "user_id", "asset_id", "first_time", "last_time", "hourly")
PAST_COLUMNS = ["day", "entity", "evidence", "scoring_hash", "in_budget"]
SHOWN_COLUMNS = ["day", "entity", "detector", "window", "statistic", "asset_ids", "related_users"]


@dataclass(frozen=True)
class DayQueue:
    """The day's entities in order; the first ``length`` are in the queue.

    ``leader_of``: leader of each entity that folds into another one's story; those follow the
    queue. ``weighed``: hash of the settings that weighed the evidence.
    """

    ranked: list[ScoredEntity]
    length: int
    leader_of: dict[str, str]
    weighed: str


def queue_day(tables: StageTables, config: JobConfig, day: date) -> Outcome:
    """Replace the day's rows of ``findings``; the note counts the queue."""
    import pyarrow.compute as pc

    from models.scoring.stories import CASE_DAYS

    yesterday, more = day - timedelta(days=1), memory_days(config) - 1
    reach = max(more, CASE_DAYS - 1)
    queued = tables.frame(FINDINGS, yesterday, reach, where=pc.field("in_budget"))
    earlier = queued[queued["day"] >= yesterday - timedelta(days=more)]
    remembered = is_one_of("entity", people_of(earlier))
    shown = shown_signals(
        tables.frame(SIGNALS, yesterday, more, SHOWN_COLUMNS, remembered), earlier
    )
    past = tables.frame(FINDINGS, yesterday, config.scoring.calibration_days - 1, PAST_COLUMNS)
    history, signals = read_history(tables, config), tables.frame(SIGNALS)
    approved = approved_access(tables, signals, history)
    queue = decide(signals, shown, past, approved, history, config)
    kept = is_one_of("user_id", [entity.entity for entity in queue.ranked])
    access = tables.frame(ACCESS, day, HISTORY_DAYS - 1, EVIDENCE_COLUMNS, kept)
    coverage = tables.frame(COVERAGE, day, HISTORY_DAYS - 1, where=kept)
    rows = make_findings(queue, access, coverage, history, queued)
    tables.replace(to_frames(tables.spark, rows, FINDINGS), FINDINGS)
    entries = rows[rows["in_budget"].astype(bool)]
    top = f", highest {entries['risk_score'].max():.0f}" if len(entries) else ""
    said = f"{len(entries)} findings in the queue{top}, {len(rows) - len(entries)} below"
    return Outcome({FINDINGS.name: len(rows)}, (said,))


def decide(
    signals: pd.DataFrame,
    shown: pd.DataFrame,
    past: pd.DataFrame,
    approved: pd.DataFrame,
    history: History,
    config: JobConfig,
) -> DayQueue:
    """The queue of the history's day.

    ``signals``: rows of SIGNALS of the day. ``shown``: see :func:`shown_signals`. ``past``:
    PAST_COLUMNS of the findings of the calibration days before. ``approved``: see
    :func:`approved_access`.
    """
    from models.detectors.settings import scoring_hash
    from models.features.people import directory_ids
    from models.features.rows import log_days
    from models.features.strangers import strangers
    from models.scoring.queue import (
        comparable,
        one_stranger_a_day,
        queue_length,
        reference_days,
    )
    from models.scoring.stories import fold, in_order

    weighed = scoring_hash(config.scoring, settings_of(config))
    entries = past[(past["scoring_hash"] == weighed) & past["in_budget"].astype(bool)]
    scored = rank_entities(signals, shown, entries, approved, history, config)
    leaders, folded = fold(scored, strangers(history, [each.entity for each in scored]))
    past = one_stranger_a_day(past, directory_ids(history.context))
    yesterday = history.day - timedelta(days=1)
    days = reference_days(log_days(history), config.scoring.calibration_days)
    past = past[past["day"] > yesterday - timedelta(days=days)]
    past, days = comparable(past, weighed, yesterday, days)
    ordinary = config.scoring.ordinary_share * config.alert_budget
    identities = signals["entity"].nunique()
    length = queue_length(leaders, past, days, config.alert_budget, ordinary, identities)
    ranked = in_order(leaders, folded, length, KEPT_PER_BUDGET * config.alert_budget)
    leader_of = {entity.entity: leader for entity, leader in folded}
    return DayQueue(ranked, length, leader_of, weighed)


def approved_access(tables: StageTables, signals: pd.DataFrame, history: History) -> pd.DataFrame:
    """APPROVED_COLUMNS of 90 days of the ticket holders, what their jobs read today included."""
    import pandas as pd

    from models.features.job_readings import job_evidence

    holders = ticket_holders(signals, history)
    of_holders = is_one_of("user_id", holders)
    own = tables.frame(ACCESS, tables.day, HISTORY_DAYS - 1, APPROVED_COLUMNS, of_holders)
    by_job = job_evidence(history, holders)[list(APPROVED_COLUMNS)]
    # pandas cannot tell the types of a frame without rows.
    parts = [part for part in (own, by_job) if len(part)] or [own]
    return pd.concat(parts)


def memory_days(config: JobConfig) -> int:
    """Days for which a shown finding lowers the score of its repetition."""
    return min(HISTORY_DAYS - 1, max(1, round(MEMORY_HALF_LIVES * config.scoring.half_life_days)))


def ticket_holders(signals: pd.DataFrame, history: History) -> list[str]:
    """Entities with signals of the day that an approval names, whether or not it counts."""
    from models.features.approval import approved_identity

    context = history.context
    named = {approved_identity(name, context) for name in context.approvals["user_id"]}
    return sorted(named.intersection(signals["entity"]))


def rank_entities(
    signals: pd.DataFrame,
    shown: pd.DataFrame,
    entries: pd.DataFrame,
    approved: pd.DataFrame,
    history: History,
    config: JobConfig,
) -> list[ScoredEntity]:
    """The entities that become findings of the history's day, most evidence first.

    ``signals``, ``shown``, ``approved``: see :func:`decide`. ``entries``: those of ``past`` that
    were in the queue and that today's settings weighed.
    """
    from models.detectors import describe, detector_names
    from models.features.people import directory_ids, teams, tenure_days
    from models.features.sensitivity import other_takings
    from models.scoring.circumstances import gather
    from models.scoring.common_causes import colleagues_alike
    from models.scoring.points import score_entities
    from models.scoring.queue import ranked_for_review

    today = history.access[history.access["day"] == history.day]
    facts = gather(
        history.day,
        history.context,
        config.scoring,
        settings_of(config),
        {name: describe(name).family for name in detector_names()},
        config.suppressions,
        tenure_days(history, signals["entity"].unique()),
        approved,
    )
    named = set(today.loc[today["chosen_names"] > 0, "user_id"])
    most_p = config.scoring.evidence_p
    alike = colleagues_alike(signals, teams(history.context), named, most_p)
    facts = replace(facts, alike=alike, other=other_takings(history))
    scored = score_entities(signals, shown, entries, facts)
    ranked, most = ranked_for_review(scored), KEPT_PER_BUDGET * config.alert_budget
    directory = directory_ids(history.context)
    ours = [entity for entity in ranked if entity.entity in directory][:most]
    # Any number of strangers leaves as many places to others.
    strange = [entity for entity in ranked if entity.entity not in directory][:most]
    return ranked_for_review([*ours, *strange])


def make_findings(
    queue: DayQueue,
    access: pd.DataFrame,
    coverage: pd.DataFrame,
    history: History,
    queued: pd.DataFrame,
) -> pd.DataFrame:
    """Rows of FINDINGS of the history's day.

    ``access``, ``coverage``: rows of ACCESS and COVERAGE of the ranked entities in the 90 days that
    end with the day. ``queued``: rows of FINDINGS of earlier days that were in the queue.
    """
    import pandas as pd

    from models.detectors import describe, detector_names
    from models.features.rows import each_row
    from models.findings.document import write_findings
    from models.scoring.stories import case_of, open_cases

    descriptions = {name: describe(name) for name in detector_names()}
    ranked = queue.ranked
    findings = write_findings(ranked, access, coverage, history, descriptions, queue.length)
    cases = open_cases((row.day, _case(row), _people(row)) for row in each_row(queued))
    case: dict[str, str] = {}
    for finding, entity in zip(findings, ranked, strict=True):
        joined = case_of(history.day, {entity.entity, *finding.members}, cases)
        case[entity.entity] = joined or finding.document["event"]["id"]
    rows = []
    for finding, entity in zip(findings, ranked, strict=True):
        leader = queue.leader_of.get(entity.entity)
        finding.document["exfil"]["case_id"] = case[leader or entity.entity]
        # What folds into another finding is no entry of its own.
        evidence = entity.raw if leader is None else None
        rows.append(_row(finding, evidence, queue.weighed, history.day))
    return pd.DataFrame(rows, columns=FINDINGS.column_names)


def people_of(findings: pd.DataFrame) -> list[str]:
    """Identities of the stories of rows of FINDINGS, sorted."""
    from models.features.rows import each_row

    return sorted({name for row in each_row(findings) for name in _people(row)})


def _people(row: Any) -> tuple[str, ...]:
    """Identities of the story of a row of FINDINGS; an earlier version wrote no members."""
    members = row.members if isinstance(row.members, Iterable) else ()
    return (str(row.entity), *map(str, members))


def _case(row: Any) -> str:
    """Case of a row of FINDINGS; one that an earlier version wrote is a case of its own."""
    return row.case_id if isinstance(row.case_id, str) else str(row.event_id)


def shown_signals(past: pd.DataFrame, earlier: pd.DataFrame) -> pd.DataFrame:
    """Signals of earlier days that spoke in that day's queue; see :func:`told_signals`.

    ``past``: SHOWN_COLUMNS of SIGNALS. ``earlier``: rows of FINDINGS that were in the queue.
    """
    from models.features.rows import each_row

    spoke = {
        (row.day, row.entity, contribution["detector"])
        for row in each_row(earlier)
        for contribution in json.loads(row.document)["exfil"]["contributions"]
        if contribution["points"] > 0
    }
    return told_signals(past, spoke)


def told_signals(signals: pd.DataFrame, spoke: Set[tuple[date, str, str]]) -> pd.DataFrame:
    """SHOWN_COLUMNS of the signals that the queue told of.

    ``spoke``: day, entity and detector of each contribution with points to an entry. The signals
    that the same detector made of those whom it names count, because the queue tells a story once.
    Signals of other detectors do not: they are no part of the story.
    """
    keys = [*zip(signals["day"], signals["entity"], signals["detector"], strict=True)]
    named = {
        (day, str(user), detector)
        for (day, entity, detector), users in zip(keys, signals["related_users"], strict=True)
        if (day, entity, detector) in spoke
        for user in users
    }
    return signals.loc[[key in spoke or key in named for key in keys], SHOWN_COLUMNS]


def _row(finding: Finding, evidence: float | None, weighed: str, day: date) -> dict[str, Any]:
    document = finding.document
    problems = validate_finding(document)
    if problems:
        raise AssertionError(f"finding of {document['user']['id']}: {'; '.join(problems)}")
    return {
        "day": day,
        "event_id": document["event"]["id"],
        "entity": document["user"]["id"],
        "window": document["exfil"]["window"],
        "risk_score": document["event"]["risk_score"],
        "evidence": evidence,
        "scoring_hash": weighed,
        "case_id": document["exfil"]["case_id"],
        "members": list(finding.members),
        "queue_rank": document["exfil"]["queue_rank"],
        "in_budget": document["exfil"]["in_budget"],
        "document": json.dumps(document, ensure_ascii=False, sort_keys=True),
        "reasons": dump_reasons(finding.reasons),
    }


STAGE = Stage(
    name="findings",
    reads=(
        *HISTORY_READS,
        Read(ACCESS, HISTORY_DAYS - 1),
        Read(SIGNALS, HISTORY_DAYS - 1),
        Read(FINDINGS, HISTORY_DAYS - 1),
    ),
    writes=(FINDINGS,),
    work=queue_day,
    needs=(SIGNALS, *(read.table for read in HISTORY_READS)),
)
