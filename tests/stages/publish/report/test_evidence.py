"""Trails of activity and the graph around a user, compared with slow ones."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest

from jobs.stages.publish.report.evidence import (
    MAX_OTHERS,
    collect_activity,
    ego_graph,
    graph_days,
    trails,
)
from tests.worlds.report_pages import make_data, make_queue
from tests.worlds.sample_findings import DAY, make_finding


def test_trails_agree_with_slow_ones() -> None:
    totals = make_data(make_queue()).totals
    totals = totals[totals["day"] != DAY - timedelta(days=4)]
    activity = collect_activity(totals)
    peers = ["u-bo", "u-cy", "u-di", "not seen"]
    last = DAY - timedelta(days=1)
    by_key = {(row.day, row.user_id): row for row in totals.itertuples()}
    (by_bytes, by_objects) = trails("u-ada", peers, last, activity)
    assert (by_bytes.measure, by_objects.measure) == ("bytes", "objects")
    assert by_bytes.peers == 3
    for trail in (by_bytes, by_objects):
        for day, own, quartiles in zip(trail.days, trail.own, trail.quartiles, strict=True):
            if day == DAY - timedelta(days=4):
                assert own is None
                assert quartiles is None
                continue
            said = [
                float(getattr(by_key[day, user], trail.measure)) if (day, user) in by_key else 0.0
                for user in ("u-ada", "u-bo", "u-cy", "u-di")
            ]
            assert own == said[0]
            assert quartiles == pytest.approx(np.quantile(said[1:], (0.25, 0.5, 0.75)))
    assert trails("nobody", peers, last, activity) == ()
    assert all(value is None for value in trails("u-ada", [], DAY, activity)[0].quartiles)


def test_ego_graph_holds_peers_before_others() -> None:
    queue = make_queue()
    data = make_data(queue)
    finding = queue[0]
    graph = graph_days(data.nodes, data.edges)[date.fromisoformat(finding["exfil"]["day"])]
    ego = ego_graph(finding, graph)
    assert ego is not None
    assert [a.asset_id for a in ego.assets if a.touched] == ["orion-1", "own-u-ada"]
    assert [a.asset_id for a in ego.assets if not a.touched] == ["orion-0", "orion-7"]
    assert [other.is_peer for other in ego.others] == [True, True, True, False]
    assert len(ego.others) <= MAX_OTHERS
    drawn = {a.asset_id for a in ego.assets}
    people = {ego.user_id} | {other.user_id for other in ego.others}
    assert all(person in people and asset in drawn for person, asset, _, _ in ego.edges)
    stranger = make_finding("stranger")
    assert ego_graph(stranger, graph) is None
