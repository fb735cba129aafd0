"""foreign_copy: speaks of its case, and not of its look-alike; tricks of a thief change nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from models.reasons.reason import Reason
from models.scoring.points import Contribution, ScoredEntity
from models.scoring.stories import fold
from tests.worlds import grants
from tests.worlds.histories import World, history_of
from tests.worlds.plants import (
    DAY,
    SETTINGS,
    Plant,
    Planted,
    Usual,
    assert_fires,
    assert_quiet,
    back,
    backup_to_a_listed_place,
    copies_to_a_strange_bucket,
    score_of,
)

THIEF = "u009"
PLACE = "s3://elsewhere"
OWN = "111122223333"


def test_fires(planted: Planted, usual: Usual) -> None:
    assert_fires("foreign_copy", *planted(copies_to_a_strange_bucket), usual)


def test_stays_quiet(planted: Planted, usual: Usual) -> None:
    assert_quiet("foreign_copy", *planted(backup_to_a_listed_place), usual)


def small_world() -> World:
    """Four people, a checkpoint of 64 shards, and a month of quiet days."""
    world = World()
    for user in (THIEF, "u001", "u002", "u003"):
        world.directory.append(
            {"user_id": user, "email": f"{user}@example.com", "display_name": user, "kind": "human",
             "team": "evals", "manager_id": "", "employment": "", "start_date": None,
             "notice_date": None, "end_date": None, "country": "", "aliases": ()}
        )  # fmt: skip
        for days in range(1, 30):
            world.act(back(days), user, "s3://lab-scratch", "read", object="notes")
    world.assets["ckpt"] = {
        "asset_id": "ckpt", "kind": "checkpoint", "name": "checkpoint", "owner_team": "evals",
        "sensitivity": 5, "objects": 64, "bytes": None, "allowed_countries": (),
        "pattern": "s3://lab-ckpt/run/*",
    }  # fmt: skip
    return world


def statistic(world: World, own: tuple[str, ...] = (), user: str = THIEF) -> float:
    """The statistic of foreign_copy for an identity on the day; 0 if it has no row."""
    settings = SETTINGS["foreign_copy"].model_copy(update={"own_accounts": list(own)})
    rows = score_of("foreign_copy", history_of(world, DAY), settings)
    return float(rows.loc[rows["entity"] == user, "statistic"].sum())


def copy_all(world: World, place: str = PLACE, user: str = THIEF) -> World:
    for name in world.shards("ckpt"):
        world.act(DAY, user, "ckpt", "copy", object=name, destination=place)
    return world


def touch(world: World, day: Any, user: str, **more: Any) -> None:
    world.act(day, user, PLACE, more.pop("action_class", "list"), object="x", **more)


Trick = Callable[[World], None]


def lists_it_on_the_day(world: World) -> None:
    touch(world, DAY, THIEF)


def is_refused_on_the_day(world: World) -> None:
    touch(world, DAY, THIEF, failed=True)


def is_refused_for_weeks(world: World) -> None:
    for days in range(1, 29):
        for user in (THIEF, "u001", "u002"):
            touch(world, back(days), user, failed=True)


def prepares_it_for_weeks(world: World) -> None:
    for days in range(1, 29):
        touch(world, back(days), THIEF, action_class="write")
        world.act(back(days), THIEF, "data", "copy", object="a", destination=PLACE)


def colleagues_come_on_the_day(world: World) -> None:
    for user in ("u001", "u002", "u003"):
        touch(world, DAY, user)


def has_one_accomplice(world: World) -> None:
    for days in range(1, 29):
        touch(world, back(days), "u001")


def invents_identities(world: World) -> None:
    for number in range(5):
        touch(world, back(3), f"arn:aws:sts::{OWN}:assumed-role/lab/session-{number}")


def opens_sessions_under_names_of_colleagues(world: World) -> None:
    for days in range(1, 29):
        for user in ("u001", "u002", "u003"):
            touch(world, back(days), user, chosen=True)
            world.act(back(days), user, "data", "copy", object="a", destination=PLACE, chosen=True)


@pytest.mark.parametrize(
    "trick",
    [lists_it_on_the_day, is_refused_on_the_day, is_refused_for_weeks, prepares_it_for_weeks,
     colleagues_come_on_the_day, has_one_accomplice, invents_identities,
     opens_sessions_under_names_of_colleagues],
)  # fmt: skip
def test_no_trick_makes_a_place_ours(trick: Trick) -> None:
    world = small_world()
    trick(world)
    assert statistic(copy_all(world)) == statistic(copy_all(small_world())) > 6


def test_two_others_on_earlier_days_make_a_place_ours() -> None:
    world = small_world()
    touch(world, back(9), "u001")
    world.act(back(3), "u002", "ckpt", "copy", object="shard-0000", destination=PLACE)
    assert statistic(copy_all(world)) == 0


@pytest.mark.parametrize(
    ("place", "own", "least"),
    [
        ("s3://elsewhere#444455556666", (OWN,), 9.0),
        (f"s3://elsewhere#{OWN}", (OWN,), 0.0),
        ("s3://lab-ckpt", (), 0.0),
        ("account://444455556666", (OWN,), 9.0),
        (f"account://{OWN}", (OWN,), 0.0),
        ("public://all", (OWN,), 9.0),
        ("link://presigned", (), 9.0),
        ("unknown://policy", (OWN,), 6.0),
        ("user://U002@example.com", (), 0.0),
        ("user://friend@example.org", (), 6.0),
        ("group://u002@example.com", (), 6.0),
    ],
)
def test_the_place_decides(place: str, own: tuple[str, ...], least: float) -> None:
    value = statistic(copy_all(small_world(), place), own)
    assert least <= value <= least * 1.1


@pytest.mark.parametrize(("account", "least"), [(OWN, 0.0), ("777788889999", 9.0)])
def test_the_cloud_said_on_an_earlier_day_whose_a_container_is(account: str, least: float) -> None:
    world = small_world()
    world.act(back(9), "u001", "data", "copy", object="a", destination=f"{PLACE}#{account}")
    world.act(DAY, THIEF, "s3://lab-ckpt", "share", destination=PLACE)
    assert least <= statistic(world, (OWN,)) <= least * 1.1


def test_a_foreign_account_among_own_ones_counts() -> None:
    world = small_world()
    for account in (OWN, "444455556666", "222233334444"):
        world.act(DAY, THIEF, "s3://lab-ckpt", "share", destination=f"account://{account}")
    assert statistic(world, (OWN, "222233334444")) > 9


def test_own_places_do_not_hide_a_foreign_one_behind_the_end_of_the_list() -> None:
    world = small_world()
    for number in range(50):
        world.act(DAY, THIEF, "ckpt", "copy", object="a", destination=f"s3://a{number:02d}#{OWN}")
    world.act(DAY, THIEF, "ckpt", "copy", object="b", destination="s3://z#444455556666")
    assert statistic(world, (OWN,)) > 1


def test_a_policy_on_the_bucket_opens_all_that_lies_below() -> None:
    world = small_world()
    world.act(DAY, THIEF, "s3://lab-ckpt", "share", destination="public://all")
    assert statistic(world) == statistic(copy_all(small_world(), "public://all"))


def test_a_refused_policy_opens_nothing() -> None:
    world = small_world()
    world.act(DAY, THIEF, "s3://lab-ckpt", "share", destination="public://all", failed=True)
    assert statistic(world) == 0


@pytest.mark.parametrize("days", [0, 1, 6])
def test_writing_what_was_read_to_a_foreign_place_is_taking(days: int) -> None:
    world = small_world()
    world.read(back(days), THIEF, "ckpt", world.shards("ckpt"))
    world.act(DAY, THIEF, PLACE, "write", object="all.tar")
    assert statistic(world) == statistic(copy_all(small_world()))
    assert statistic(world, user="u001") == 0


def test_other_writes_are_no_taking() -> None:
    read, write = small_world(), small_world()
    read.read(DAY, THIEF, "ckpt", read.shards("ckpt"))
    read.act(DAY, THIEF, "s3://lab-scratch", "write", object="result")
    write.act(DAY, THIEF, PLACE, "write", object="mine")
    assert (statistic(read), statistic(write)) == (0, 0)


def use(plant: Plant, own: tuple[str, ...] = (OWN,)) -> dict[str, Any]:
    """Rows 30d above 0 of a small world with a plant, by identity."""
    world = small_world()
    plant(world)
    settings = SETTINGS["foreign_copy"].model_copy(update={"own_accounts": list(own)})
    rows = score_of("foreign_copy", history_of(world, DAY), settings)
    rows = rows[(rows["window"] == "30d") & (rows["statistic"] > 0)]
    return {row.entity: row for row in rows.itertuples()}


def opened_and_read(
    world: World, opened: str = "s3://lab-ckpt", to: str = f"account://{grants.FOREIGN}",
    days: int = 12, shards: int = 16, **more: Any
) -> str:  # fmt: skip
    grants.opens(world, back(days), opened, to)
    return grants.takes(world, world.shards("ckpt")[:shards], asset="ckpt", **more)


def test_the_opener_and_the_user_of_a_grant_name_each_other() -> None:
    rows = use(opened_and_read)
    assert sorted(rows) == [grants.READER, THIEF]
    assert rows[THIEF].related_users == [grants.READER]
    assert rows[grants.READER].related_users == [THIEF]
    assert rows[THIEF].statistic > rows[grants.READER].statistic > 4
    assert THIEF in rows[grants.READER].reason
    assert grants.READER in rows[THIEF].reason
    assert rows[grants.READER].asset_ids == ["ckpt"]


def test_both_are_one_entry_that_the_opener_leads(planted: Planted, usual: Usual) -> None:
    history, reader = planted(grants.stranger_uses_a_policy)
    assert_fires("foreign_copy", history, reader, usual)
    assert_fires("foreign_copy", history, grants.OPENER, usual)
    rows = score_of("foreign_copy", history).assign(detector="foreign_copy", p_value=1e-5)
    rows = rows[(rows["window"] == "30d") & (rows["statistic"] > 0)]
    parts = [
        Contribution(
            "foreign_copy", "destination", "30d", row.statistic, row.statistic, 1e-5,
            row.statistic, row.observed, 0.0, row.unit, Reason("used_no_grant"), (),
            tuple(row.related_users),
        )
        for row in rows.itertuples()
    ]  # fmt: skip
    ranked = [
        ScoredEntity(row.entity, row.user_kind, "30d", part.raw, part.raw, (part,), ())
        for row, part in zip(rows.itertuples(), parts, strict=True)
    ]
    leaders, folded = fold(sorted(ranked, key=lambda entity: -entity.raw))
    assert [leader.entity for leader in leaders] == [grants.OPENER]
    assert [(member.entity, leader) for member, leader in folded] == [(reader, grants.OPENER)]


@pytest.mark.parametrize(
    ("plant", "used"),
    [
        (lambda world: opened_and_read(world, days=30), True),
        (lambda world: opened_and_read(world, days=31), False),
        (lambda world: opened_and_read(world, days=0), True),
        (lambda world: opened_and_read(world, opened="s3://other"), False),
        (lambda world: opened_and_read(world, account="777788889999"), False),
        (lambda world: opened_and_read(world, account=OWN), False),
        (lambda world: opened_and_read(world, to="public://all", account=""), True),
        (lambda world: opened_and_read(world, to="link://account-key", account=""), True),
        (lambda world: opened_and_read(world, to="user://friend@example.org",
                                       user="friend@example.org", account=""), True),
        (lambda world: opened_and_read(world, to="domain://example.org",
                                       user="friend@example.org", account=""), True),
        (lambda world: opened_and_read(world, to="domain://example.org",
                                       user="friend@example.net", account=""), False),
        (lambda world: opened_and_read(world, user="u001", kind="human", account=""), False),
        (lambda world: opened_and_read(world, opened=f"aws://{OWN}/iam"), True),
        (lambda world: opened_and_read(world, opened=f"aws://{OWN}/kms", to="public://all"), False),
        (lambda world: opened_and_read(world, failed=True), False),
    ],
)  # fmt: skip
def test_who_uses_a_grant(plant: Plant, *, used: bool) -> None:
    assert bool(use(plant)) is used


def test_a_grant_to_an_own_account_is_none() -> None:
    assert use(opened_and_read, own=(OWN, grants.FOREIGN)) == {}


def test_twenty_sessions_of_an_account_are_one_party() -> None:
    def twenty(world: World) -> str:
        grants.opens(world, back(8), "s3://lab-ckpt")
        for number in range(20):
            shard = world.shards("ckpt")[number : number + 1]
            grants.takes(world, shard, f"AROA:{number:02d}", asset="ckpt")
        return THIEF

    rows = use(twenty)
    assert sorted(rows) == ["AROA:00", THIEF]
    assert rows[THIEF].observed == 20
    assert len(rows["AROA:00"].related_users) == 20


def test_a_link_used_where_its_signer_never_is_was_given_away(
    planted: Planted, usual: Usual
) -> None:
    assert_fires("foreign_copy", *planted(grants.reads_by_a_link_from_abroad), usual)
    assert_quiet("foreign_copy", *planted(grants.reads_by_a_link_at_home), usual)


def test_nothing_in_the_log_means_no_link() -> None:
    world = small_world()
    world.read(DAY, THIEF, "ckpt", world.shards("ckpt"), network="external/RO/1")
    assert statistic(world) == 0
