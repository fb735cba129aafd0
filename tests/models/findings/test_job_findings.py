"""A finding about a job: the submitter, and the artefact that the job's role read."""

from __future__ import annotations

import pandas as pd

from models.detectors import describe, detector_names
from models.features.approval import Ticket, approved_share, asset_patterns
from models.features.job_readings import job_evidence
from models.features.people import people
from models.findings.document import write_findings
from models.scoring.points import Contribution, ScoredEntity
from schemas.finding import validate_finding
from tests.worlds.histories import everyday_world, frames_of, history_of
from tests.worlds.job_plants import FRONTIER, job_reads_a_strange_checkpoint, reads_by_job
from tests.worlds.job_reads import ROLE, RUNNER, row
from tests.worlds.plants import DAY, DETECTOR_OF, SETTINGS


def test_a_finding_holds_what_the_role_of_the_job_read() -> None:
    """Also that of a submitter who does nothing else."""
    world = everyday_world(people=12, days=33)
    world.directory.append(world.person("u004") | {"user_id": "u016"})
    job_reads_a_strange_checkpoint(world)
    world.jobs += [
        row(DAY, "u999", ROLE, FRONTIER, 64),
        row(DAY, "u001", RUNNER, FRONTIER, 9, "own"),
    ]
    frames = frames_of(world)
    history = history_of(world, DAY, frames)
    signals = DETECTOR_OF["job_cover"].score(history, SETTINGS["job_cover"])
    scored = []
    for signal in (each for each in signals if each.entity in ("u016", "u999")):
        said = Contribution(
            "job_cover", "jobs", "1d", 9.0, 40.0, 1e-4, signal.statistic, signal.observed, 0.0,
            signal.unit, signal.reason, tuple(signal.asset_ids), tuple(signal.related_users),
        )  # fmt: skip
        scored.append(ScoredEntity(signal.entity, signal.user_kind, "1d", 40.0, 9.0, (said,), ()))
    descriptions = {name: describe(name) for name in detector_names()}
    access = frames[0][frames[0]["user_id"].isin(["u016", "u999"])]
    found = write_findings(scored, access, history.coverage.iloc[:0], history, descriptions, 2)
    assert [each.document["user"]["id"] for each in found] == ["u016", "u999"]
    for each in found:
        assert validate_finding(each.document) == []
        (asset,) = each.document["exfil"]["assets"]
        assert (asset["id"], asset["objects"], asset["bytes"]) == (FRONTIER, 64, 128_000_000_000)
        assert each.document["related"]["ip"] == ["10.20.3.7"]
        assert ROLE in each.document["related"]["user"]
        assert each.document["event"]["start"] == f"{DAY}T14:00:00Z"
    assert "u016" in people(history.context).index
    assert set(job_evidence(history, ["u001", "u016"])["user_id"]) == {"u016"}


def test_a_ticket_of_the_submitter_covers_the_reading_of_the_job() -> None:
    world = everyday_world(people=6, days=33)
    reads_by_job(world, DAY, "u004", FRONTIER, world.shards(FRONTIER))
    history = history_of(world, DAY)
    evidence = job_evidence(history, ["u004"])
    noon = pd.Timestamp(DAY) + pd.Timedelta(hours=12)
    ticket = Ticket("T-1", "s3://ckpt/pretraining/run/step-2/*", noon, None, 1.0)
    late = Ticket("T-2", ticket.pattern, noon + pd.Timedelta(hours=6), None, 1.0)
    patterns = asset_patterns(history.context)
    assert approved_share([FRONTIER], [ticket], patterns, evidence, DAY) == (1.0, ["T-1"])
    assert approved_share([FRONTIER], [late], patterns, evidence, DAY) == (0.0, [])
