"""Documents of identities, their days, assets, the graph and health: tables in, documents out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pandas as pd
import pytest

from jobs.stages.publish.elasticsearch.entities import (
    asset_day_documents,
    entity_day_documents,
    entity_documents,
    rate_entities,
)
from jobs.stages.publish.elasticsearch.graph import PICTURE_ASSETS, PICTURE_PEERS, graph_documents
from jobs.stages.publish.elasticsearch.health import health_documents
from jobs.stages.publish.elasticsearch.inputs import Tables
from jobs.trial.bench.documents import identity_days
from models.scoring.entity_risk import combine
from schemas.context import (
    APPROVAL_COLUMNS,
    ASSET_COLUMNS,
    DIRECTORY_COLUMNS,
    NETWORK_COLUMNS,
    Context,
)
from schemas.elasticsearch.indices import (
    ASSET_DAYS,
    ENTITIES,
    ENTITY_DAYS,
    GRAPH,
    HEALTH,
    Index,
    document_id,
    value_at,
)
from schemas.tables.graph import GRAPH_EDGES, GRAPH_NODES
from schemas.tables.quality import QUALITY
from tests.worlds.sample_findings import DAY, make_finding, published

ACCESS_COLUMNS = ["user_id", "user_kind", "asset_id", "bytes_out", "objects", "events"]
SOURCE_COLUMNS = ["source", "events", "last_event", "rejects"]
PEOPLE: list[dict[str, Any]] = [
    {
        "user_id": "u-ada",
        "display_name": "Ada Abara",
        "email": "ada@lab.example",
        "kind": "human",
        "team": "evals",
        "title": "Engineer",
        "employment": "employee",
        "notice_date": date(2026, 10, 1),
    },
    {"user_id": "u-idle", "kind": "human"},
]


def make_tables(
    findings: list[dict[str, Any]] | None = None,
    access: list[tuple[Any, ...]] | None = None,
    nodes: list[dict[str, Any]] | None = None,
    edges: list[dict[str, Any]] | None = None,
    people: list[dict[str, Any]] | None = None,
    assets: list[dict[str, Any]] | None = None,
    **others: Any,
) -> Tables:
    context = Context(
        directory=pd.DataFrame(
            [dict.fromkeys(DIRECTORY_COLUMNS) | person for person in people or []],
            columns=list(DIRECTORY_COLUMNS),
        ),
        assets=pd.DataFrame(
            [dict.fromkeys(ASSET_COLUMNS, "") | asset for asset in assets or []],
            columns=list(ASSET_COLUMNS),
        ).astype({"sensitivity": "Int64"} if assets else {}),
        approvals=pd.DataFrame(columns=list(APPROVAL_COLUMNS)),
        networks=pd.DataFrame(columns=list(NETWORK_COLUMNS)),
    )
    values: dict[str, Any] = {
        "quality": pd.DataFrame(columns=QUALITY.column_names),
        "sources": pd.DataFrame(columns=SOURCE_COLUMNS),
        "signals": pd.DataFrame(columns=["detector", "signals"]),
        **others,
    }
    return Tables(
        day=DAY,
        findings=findings or [],
        access=pd.DataFrame(access or [], columns=ACCESS_COLUMNS),
        nodes=pd.DataFrame(nodes or [], columns=GRAPH_NODES.column_names),
        edges=pd.DataFrame(edges or [], columns=GRAPH_EDGES.column_names),
        context=context,
        **values,
    )


def finding(user: str, back: int = 0, score: float = 60.0, **changes: Any) -> dict[str, Any]:
    day = DAY - timedelta(days=back)
    return published(make_finding(user, day, score=score, **changes), day)


def user_node(user: str, peers: list[str] | None = None, **changes: Any) -> dict[str, Any]:
    row = {"day": DAY, "node_id": user, "node_type": "user", "kind": "human", "community": 2}
    return row | {"degree": 1, "strength": 1.0, "peers": peers, "x": 0.5, "y": -0.5} | changes


def asset_node(asset: str) -> dict[str, Any]:
    return user_node(asset, None, node_type="asset", kind="repo")


def edge(user: str, asset: str, weight: float = 1.0, **changes: Any) -> dict[str, Any]:
    row = {"day": DAY, "user_id": user, "asset_id": asset, "weight": weight, "active_days": 1}
    return row | {"today": True, "is_new": False, "probability": 0.1} | changes


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, f"{path}.{name}" if path else name)
    else:
        yield path, value


PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "keyword": (str,),
    "text": (str,),
    "date": (str,),
    "float": (float, int),
    "integer": (int,),
    "boolean": (bool,),
}


def check_contract(index: Index, documents: list[dict[str, Any]]) -> None:
    """Only fields of the index, each of its type; ids of its own; a date where one is due."""
    fields = {field.path: field for field in index.fields}
    for document in documents:
        for path, value in leaves(document):
            field = fields[path]
            assert isinstance(value, list) == field.many, path
            for each in value if field.many else [value]:
                assert (each is None and field.nullable) or (
                    type(each) in PYTHON_TYPES[field.type]
                ), (path, each)
                if field.type == "date" and each is not None:
                    assert date.fromisoformat(each[:10])
    ids = [document_id(index, document) for document in documents]
    assert len(set(ids)) == len(ids) > 0


def test_everybody_has_a_document() -> None:
    findings = [
        finding("u-ada", 0, 60.0),
        finding("u-ada", 7, 40.0, reason="A week ago."),
        finding("u-ada", 29, 20.0, reason="Long ago.", detector="recon"),
        finding("u-ada", 30, 90.0, reason="Too long ago."),
    ]
    tables = make_tables(
        findings,
        access=[("svc", "service", "evals", None, 3, 4), ("u-ada", "human", "orion-7", 7, 3, 4)],
        nodes=[user_node("u-ada", ["u-bo", "svc"]), user_node("u-bo", [])],
        edges=[edge("u-ada", "orion-7", is_new=True), edge("u-ada", "evals")],
        people=PEOPLE,
    )
    documents = entity_documents(tables, rate_entities(tables, {}), {})
    check_contract(ENTITIES, documents)
    assert [document["user"]["id"] for document in documents] == ["svc", "u-ada", "u-bo", "u-idle"]
    ada = documents[1]
    risk = round(combine([60, 40, 20]), 2)
    assert ada == {
        "@timestamp": "2026-10-05T23:59:59Z",
        "user": {
            "id": "u-ada",
            "name": "Ada Abara",
            "email": "ada@lab.example",
            "risk": {"calculated_score_norm": risk, "calculated_level": "Low"},
        },
        "exfil": {
            "day": "2026-10-05",
            # Seven days before, the finding of 90 still counted.
            "gain": round(combine([60, 40, 20]) - combine([90, 40, 20]), 2),
            "peak": round(combine([90, 40, 20]), 2),
            "open_findings": 3,
            "reasons": [findings[0]["event"]["reason"], "A week ago.", "Long ago."],
            "detectors": ["burst_self", "recon", "shard_coverage"],
            "last_finding": findings[0]["event"]["id"],
            "team": "evals",
            "title": "Engineer",
            "kind": "human",
            "employment": "employee",
            "notice_date": "2026-10-01",
            "end_date": None,
            "peers": ["u-bo", "svc"],
            "community": 2,
            "new_assets": ["orion-7"],
        },
    }
    assert documents[0]["exfil"]["kind"] == "service"
    assert documents[3]["user"]["risk"]["calculated_level"] == "Unknown"


@pytest.mark.parametrize(
    ("status", "risk", "unreviewed"),
    [
        ("open", 60.0, 1),
        ("confirmed", 60.0, 0),
        ("benign", 0.0, 0),
        ("duplicate", 0.0, 0),
        ("superseded", 0.0, 0),
    ],
)
def test_a_verdict_changes_the_risk(status: str, risk: float, unreviewed: int) -> None:
    found = finding("u-ada")
    tables, statuses = make_tables([found]), {found["event"]["id"]: status}
    rated = rate_entities(tables, statuses)
    documents = entity_documents(tables, rated, statuses)
    assert sum(rated[user].risk for user in rated) == pytest.approx(combine([risk]))
    assert sum(document["exfil"]["open_findings"] for document in documents) == unreviewed


def test_a_day_beside_that_of_the_peers() -> None:
    tables = make_tables(
        [finding("u-ada")],
        access=[
            ("u-ada", "human", "orion-7", 2**60, 10, 12),
            ("u-ada", "human", "evals", None, 5, 6),
            ("u-bo", "human", "evals", 100, 4, 4),
            ("u-cy", "human", "evals", None, 2, 2),
        ],
        # u-cy's bytes are not known, u-off was not there.
        nodes=[user_node("u-ada", ["u-bo", "u-cy", "u-off"]), user_node("u-cy", [])],
        edges=[edge("u-ada", "orion-7", is_new=True), edge("u-off", "x", is_new=True, today=False)],
    )
    documents = entity_day_documents(tables, rate_entities(tables, {}))
    check_contract(ENTITY_DAYS, documents)
    ada, bo, cy = (document["exfil"] for document in documents)
    assert (ada["bytes"], ada["objects"], ada["events"]) == (2**60, 15, 18)
    assert (ada["assets"], ada["new_assets"], ada["findings"]) == (2, 1, 1)
    assert (ada["peer_bytes_median"], ada["peer_bytes_p90"]) == (50.0, 90.0)
    assert (ada["peer_objects_median"], ada["peer_objects_p90"]) == (2.0, pytest.approx(3.6))
    assert (cy["bytes"], cy["peer_bytes_median"], cy["peer_objects_p90"]) == (None, None, None)
    assert (bo["findings"], bo["peer_objects_median"]) == (0, None)


def test_assets_that_are_listed_or_suspected() -> None:
    tables = make_tables(
        [finding("u-ada", assets=("s3://odd",))],
        access=[
            ("u-ada", "human", "orion-7", 100, 2, 3),
            ("u-ada", "human", "orion-7", None, 1, 1),
            ("u-ada", "human", "s3://odd", None, 1, 1),
            ("u-ada", "human", "s3://plain", 5, 1, 1),
        ],
        edges=[edge("u-ada", "s3://odd", is_new=True), edge("u-ada", "orion-7")],
        assets=[
            {"asset_id": "orion-7", "kind": "checkpoint", "owner_team": "pre", "sensitivity": 5}
        ],
    )
    documents = asset_day_documents(tables)
    check_contract(ASSET_DAYS, documents)
    told = [
        (d["exfil"]["asset"]["id"], d["exfil"]["bytes"], d["exfil"]["events"], d["exfil"]["is_new"])
        for d in documents
    ]
    assert told == [("orion-7", 100, 4, False), ("s3://odd", None, 1, True)]
    assert documents[0]["exfil"]["asset"]["sensitivity"] == 5
    assert documents[1]["exfil"]["asset"]["sensitivity"] is None


def test_a_picture_holds_the_user_its_assets_and_the_peers_who_share_them() -> None:
    nodes = [
        user_node("u-ada", ["u-bo", "u-cy"]),
        user_node("u-bo", ["u-ada"]),
        user_node("u-cy", []),
        *(asset_node(asset) for asset in ("a", "b", "c")),
    ]
    edges = [edge("u-ada", "a", is_new=True), edge("u-ada", "b"), edge("u-bo", "b")]
    edges += [edge("u-bo", "c"), edge("u-cy", "c")]
    tables = make_tables(
        [finding("u-ada")],
        nodes=nodes,
        edges=edges,
        people=[{"user_id": "u-bo", "display_name": "Bo Bauer"}],
        assets=[{"asset_id": "a", "name": "Asset A", "sensitivity": 1}],
    )
    documents = graph_documents(tables, rate_entities(tables, {}))
    check_contract(GRAPH, documents)
    egos = {document_id(GRAPH, document): document["exfil"]["ego"] for document in documents}
    assert egos == {
        "node|user|u-ada||": ["u-ada", "u-bo"],
        "node|user|u-bo||": ["u-ada", "u-bo"],
        "node|user|u-cy||": ["u-cy"],
        "node|asset|a||": ["u-ada"],
        "node|asset|b||": ["u-ada", "u-bo"],
        "node|asset|c||": ["u-bo", "u-cy"],
        "edge|||u-ada|a": ["u-ada"],
        "edge|||u-ada|b": ["u-ada", "u-bo"],
        "edge|||u-bo|b": ["u-ada", "u-bo"],
        "edge|||u-bo|c": ["u-bo"],
        "edge|||u-cy|c": ["u-cy"],
    }
    names = {
        value_at(document, "exfil.node.id"): value_at(document, "exfil.node.name")
        for document in documents
        if document["exfil"]["element"] == "node"
    }
    assert (names["u-bo"], names["a"], names["b"]) == ("Bo Bauer", "Asset A", "b")
    # What a dashboard filters on: a person leaves his picture, an asset its star.
    assert all(document["user"]["id"] == document["exfil"]["ego"] for document in documents)
    star = [document_id(GRAPH, d) for d in documents if "b" in d["exfil"]["asset"]["id"]]
    assert star == [
        "node|asset|b||",
        "node|user|u-ada||",
        "node|user|u-bo||",
        "edge|||u-ada|b",
        "edge|||u-bo|b",
    ]


def test_a_picture_stays_small_enough_to_be_drawn() -> None:
    peers = [f"p{n:02}" for n in range(30)]
    assets = [f"a{n:03}" for n in range(100)]
    edges = [edge("u-ada", asset, float(n)) for n, asset in enumerate(assets)]
    edges[3] |= {"is_new": True}
    edges += [edge(peer, asset) for peer in peers for asset in assets[90:]]
    nodes = [user_node("u-ada", peers), *(user_node(peer, []) for peer in peers)]
    tables = make_tables(nodes=[*nodes, *map(asset_node, assets)], edges=edges)
    mine = [d["exfil"] for d in graph_documents(tables, {}) if "u-ada" in d["exfil"]["ego"]]
    drawn = [document["node"]["id"] for document in mine if document["element"] == "node"]
    assert sorted(drawn) == sorted(
        ["u-ada", *peers[:PICTURE_PEERS], "a003", *assets[101 - PICTURE_ASSETS :]]
    )
    assert sum(document["element"] == "edge" for document in mine) == PICTURE_ASSETS + 10 * 10


def test_health_of_sources_expectations_and_detectors() -> None:
    below = finding("u-bo", rank=11, in_budget=False)
    quality = {"day": DAY, "source": "*", "expectation": "volume", "column": "", "observed": "1"}
    quality |= {"severity": "warning", "success": False, "expected": "2", "message": "Too few."}
    sources = [("s3", 10, pd.Timestamp("2026-10-05T21:00", tz="UTC"), 2), ("wiki", 0, None, 0)]
    tables = make_tables(
        [finding("u-ada", detector="recon"), below],
        quality=pd.DataFrame([quality]),
        sources=pd.DataFrame(sources, columns=SOURCE_COLUMNS),
        signals=pd.DataFrame({"detector": ["recon"], "signals": [7]}),
    )
    documents = health_documents(tables)
    check_contract(HEALTH, documents)
    entries = [document["exfil"]["health"] for document in documents]
    assert entries[0]["last_event"] == "2026-10-05T21:00:00.000Z"
    assert (entries[1]["events"], entries[1]["last_event"]) == (0, None)
    assert entries[2]["message"] == "Too few."
    detectors = {entry["detector"]: entry for entry in entries[3:]}
    assert (detectors["recon"]["signals"], detectors["recon"]["findings"]) == (7, 1)
    # The sample's second contribution; the finding below the budget does not count.
    assert (detectors["burst_self"]["signals"], detectors["burst_self"]["findings"]) == (0, 1)
    assert detectors["shard_coverage"]["findings"] == 0


def test_a_day_without_anything_has_its_health() -> None:
    tables = make_tables()
    assert entity_documents(tables, {}, {}) == []
    assert entity_day_documents(tables, {}) == []
    assert asset_day_documents(tables) == []
    assert graph_documents(tables, {}) == []
    assert {d["exfil"]["health"]["kind"] for d in health_documents(tables)} == {"detector"}


def test_the_benchmark_sends_what_a_run_sends() -> None:
    check_contract(ENTITY_DAYS, list(identity_days(2_500)))
