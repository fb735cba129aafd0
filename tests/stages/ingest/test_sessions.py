"""Sessions, followed by the engine to where they began, against the slow and obvious way."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from jobs.stages.ingest.sessions import (
    MAX_SESSION_HOPS,
    behind_keys,
    issued_keys,
    with_all_strangers,
    with_askers,
    with_earlier,
)
from models.resolve.identity_rules import Identity
from tests.worlds.named_identities import ANA, CI, EVE
from tests.worlds.session_chains import keys_of_strangers, resolve_sessions

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

NEAR = Identity("u-eve", "human", "email_case", "EVE@example.com")
NOTE = '{"identity_rule":"email_case","identity_name":"EVE@example.com"}'
PEOPLE = {"ana": ANA, "ci": CI, "near": NEAR}
"""Every other name is nobody's; `evil` is of another account."""
Link = tuple[str, str | None]
"""The name that asked for a key, and the key that it used."""
NAMED: list[tuple[dict[str, Link], dict[str, Identity]]] = [
    # A session is followed to where it began.
    ({"k3": ("?", "k2"), "k1": ("ana", "AKIA"), "k2": ("?", "k1")}, {}),
    # A key of the days before ends the chain, even a key that is handed out again.
    ({"k1": ("ana", "k0"), "k2": ("?", "k1")}, {"k0": EVE}),
    ({"k1": ("ana", None), "k2": ("?", "k1")}, {"k1": EVE}),
    # A beginning that only a rule knows is worth less than a known name on the way.
    ({"k1": ("near", "AKIA"), "k2": ("ci", "k1"), "k3": ("?", "k1")}, {}),
    ({"k2": ("ci", "k1")}, {"k1": NEAR}),
    ({"k2": ("near", "k1")}, {"k1": CI}),
    # Sessions of strangers are followed as well, and have no identity but that of the days before.
    ({"k1": ("evil", None), "k2": ("ana", "k1"), "k3": ("ana", "k2"), "k4": ("ana", "AKIA")}, {}),
    ({"k1": ("evil", None), "k2": ("ana", "k1")}, {"k2": CI}),
]


def longest_chain(beginning: str) -> dict[str, Link]:
    """Keys whose number is the number of steps to the beginning: the last two are too far."""
    links: dict[str, Link] = {"k0": (beginning, None)}
    for step in range(1, MAX_SESSION_HOPS + 3):
        links[f"k{step}"] = ("?" if beginning != "evil" else "ana", f"k{step - 1}")
    return links


def random_links(chance: random.Random) -> tuple[dict[str, Link], dict[str, Identity]]:
    """Up to eight keys that link to whatever, in circles too, and keys of the days before."""
    names = ["ana", "ci", "near", "?", "?", "evil"] if chance.random() < 0.5 else ["ana", "?"]
    used = [*(f"k{number}" for number in range(10)), None]
    links = {
        f"k{number}": (chance.choice(names), chance.choice(used))
        for number in range(chance.randint(0, 8))
    }
    earlier = {
        f"k{chance.randrange(10)}": chance.choice([EVE, NEAR]) for _ in range(chance.randint(0, 2))
    }
    return links, earlier


def expected(
    links: dict[str, Link], earlier: dict[str, Identity]
) -> set[tuple[str, str | None, str | None, str | None, bool]]:
    issued = [(key, name, used) for key, (name, used) in links.items()]
    strange = keys_of_strangers(issued, lambda name: name == "evil")
    known = [row for row in issued if row[0] not in strange]
    behind = resolve_sessions(known, earlier, PEOPLE.get)
    return {
        (key, who.user_id, who.kind, NOTE if who.rule else None, False)
        for key, who in behind.items()
    } | {(key, None, None, None, True) for key in strange - behind.keys()}


def test_sessions_are_followed_to_where_they_began(sail: SparkSession) -> None:
    """Whatever links to whatever; all cases run at once, each with keys of its own."""
    chance = random.Random(7)
    cases = [*NAMED, *((longest_chain(name), {}) for name in ("ana", "near", "evil"))]
    cases += [random_links(chance) for _ in range(400)]
    issued, before, wanted = [], [], set()
    for number, (links, earlier) in enumerate(cases):
        issued += [
            (f"{number}/{key}", name, "s3", used and f"{number}/{used}")
            for key, (name, used) in links.items()
        ]
        before += [
            (f"{number}/{key}", who.user_id, who.kind, NOTE if who.rule else None)
            for key, who in earlier.items()
        ]
        wanted |= {(f"{number}/{row[0]}", *row[1:]) for row in expected(links, earlier)}
    names = [
        ("s3", name, who.user_id, who.kind, NOTE if who.rule else None, False)
        for name, who in PEOPLE.items()
    ]
    names.append(("s3", "evil", None, None, None, True))
    chance.shuffle(issued)
    identities = sail.createDataFrame(
        names,
        "source string, names string, alias_user string, alias_kind string, alias_note string, "
        "of_foreign boolean",
    )
    asked = with_askers(
        sail.createDataFrame(issued, "key string, names string, source string, used string"),
        identities,
    )
    ddl = "key string, earlier_user string, earlier_kind string, earlier_note string"
    keys = with_earlier(asked, sail.createDataFrame(before, ddl))
    found = [tuple(row) for row in behind_keys(with_all_strangers(keys)).collect()]
    assert len(found) == len(set(found))
    assert set(found) == wanted


def test_one_record_says_who_asked_for_a_key(sail: SparkSession) -> None:
    """The highest precedence, then a credential, names, the earliest; text decides the rest."""
    chance = random.Random(7)
    rows = [
        (
            f"key-{chance.randrange(60)}",
            chance.choice([None, 0, 1]),
            chance.choice([None, "", "AKIA", "é", "\U0001f600", "\uffee"]),
            chance.choice(["2026-10-05 10:00:00", "2026-10-05 09:00:00"]),
            chance.choice([None, "", "ana", "Ana", "ana\nbo"]),
            chance.choice(["s3", "github"]),
        )
        for _ in range(600)
    ]
    best: dict[str, tuple[str, str, str | None]] = {}
    order = sorted(
        rows,
        key=lambda row: (
            *(-(row[1] or 0), row[2] is None, not row[4], row[3]),
            *(row[4] or "", row[2] or "", row[5]),
        ),
    )
    for key, _, credential, _, names, source in order:
        best.setdefault(key, (names or "", source, credential))
    good = sail.createDataFrame(
        rows,
        "issued_credential string, precedence int, credential string, event_time string, "
        "names string, source string",
    ).selectExpr("*", "to_timestamp(event_time) as time")
    good = good.drop("event_time").withColumnRenamed("time", "event_time")
    found = issued_keys(good).select("key", "names", "source", "used").collect()
    assert {row[0]: tuple(row[1:]) for row in found} == best
