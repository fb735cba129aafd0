"""Coverage of artefacts, against the obvious way."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.features.coverage import measure_coverage
from tests.worlds.access_rows import access_frame
from tests.worlds.coverage import parse_range, union_length
from tests.worlds.histories import World, context_of, everyday_world, history_from, history_of
from tests.worlds.plants import DAY, back


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), max_size=25))
def test_union_of_ranges(spans: list[tuple[int, int]]) -> None:
    covered = {byte for start, length in spans for byte in range(start, start + length)}
    assert union_length((start, start + length) for start, length in spans) == len(covered)


def test_ranges_are_read_as_http_means_them() -> None:
    assert parse_range("bytes=0-9") == [(0, 10)]
    assert parse_range("bytes=0-0, 5-6") == [(0, 1), (5, 7)]
    first, last = parse_range("bytes=100-")[0]
    assert first == 100 and last > 10**12
    assert parse_range("bytes=-5")[0][1] - parse_range("bytes=-5")[0][0] == 5
    for broken in ("", "bytes=", "bytes=9-3", "rows=1-2", "bytes=--", "bytes=" + "9" * 40 + "-"):
        assert parse_range(broken) == parse_range("nonsense")


def covered(rows: list[tuple[Any, ...]], windows: tuple[int, ...] = (1, 7)) -> pd.DataFrame:
    """Coverage of one user of ckpt-evals-1 (96 shards).

    From (days ago, object, size, ranges) and perhaps (bytes of parts, the object's size).
    """
    world = World()
    world.assets = {"ckpt-evals-1": everyday_world(people=0, days=0).assets["ckpt-evals-1"]}
    frame = pd.DataFrame(
        [
            {"day": back(ago), "user_id": "u1", "user_kind": "human", "asset_id": "ckpt-evals-1",
             "object": name, "reads": 1, "bytes_out": size, "ranges": ranges,
             "part_bytes": parts[0] if parts else None, "object_bytes": parts[1] if parts else None,
             "first_time": pd.Timestamp(back(ago)), "last_time": pd.Timestamp(back(ago))}
            for ago, name, size, ranges, *parts in rows
        ]
    )  # fmt: skip
    history = history_from(access_frame([]), frame, context_of(world), DAY)
    last = history.coverage[history.coverage["day"] == DAY]
    parts = [measure_coverage(last, history, days).assign(days=days) for days in windows]
    return pd.concat(parts).set_index("days")


def test_ranged_reads_merge_over_days() -> None:
    """Halves and overlaps on different days make whole objects, and are counted once."""
    size = 2_000_000_000
    rows = [(30, f"s{i}", size, []) for i in range(2)]  # sizes become known
    rows += [(3, f"s{i}", None, [f"bytes=0-{size // 2 - 1}"]) for i in range(2)]
    rows += [(0, f"s{i}", None, [f"bytes={size // 4}-{size - 1}"]) for i in range(2)]
    found = covered(rows)
    assert found.loc[1, "share"] == pytest.approx(2 * 0.75 / 96)
    assert found.loc[7, "share"] == pytest.approx(2 / 96)
    assert found.loc[7, "fresh"] == pytest.approx(0)  # all was read a month before
    assert found.loc[7, "bytes"] == pytest.approx(2 * size)


def test_looking_into_headers_is_no_reading() -> None:
    rows = [(9, f"s{i}", 2_000_000_000, []) for i in range(96)]
    rows += [(0, f"s{i}", 1024, ["bytes=0-1023"]) for i in range(96)]
    found = covered(rows)
    assert found.loc[1, "objects"] == 96
    assert found.loc[1, "share"] < 1e-5


def test_bytes_beyond_the_range_count() -> None:
    """A store that knows one range only answers ``bytes=0-0,9-9`` with the whole object."""
    size = 2_000_000_000
    rows = [(9, f"s{i}", size, []) for i in range(96)]
    rows += [(0, f"s{i}", size, ["bytes=0-0,9-9"]) for i in range(32)]
    # Small honest reads of the same object hide nothing.
    rows += [(0, "s40", size + 1, ["bytes=0-0", "bytes=0-0,9-9"])]
    # A suffix is at most the object.
    rows += [(0, "s41", size, ["bytes=-5"])]
    found = covered(rows)
    assert found.loc[1, "share"] == pytest.approx(34 / 96, rel=1e-6)


def test_a_size_is_no_larger_than_the_bytes_sent_prove() -> None:
    """The furthest range is the caller's word; 230 GB would be a trifle of so large an object."""
    rows = [(0, f"s{i}", 1000, ["bytes=0-999,9000000000-9000000000"]) for i in range(48)]
    found = covered(rows)
    assert found.loc[1, "share"] == pytest.approx(0.5)
    proved = covered([(0, "s0", 500, ["bytes=1000-1499"])])
    assert proved.loc[1, "share"] == pytest.approx(1 / 3 / 96)


def test_parts_of_unknown_place_add_up() -> None:
    """Which part it was is not told: they count as if none had been read twice."""
    rows = [(ago, "s0", 300, [], 300, 1000) for ago in (3, 0)]
    # More than all of it, and parts of what has shown no size, are all of it.
    rows += [(0, "s1", 1500, [], 1500, 1000), (0, "s2", 300, [], 300, None)]
    # Beside a known range; and no byte of it at all.
    rows += [(0, "s3", 200, ["bytes=0-99"], 100, 1000), (0, "s4", 0, [], 0, 1000)]
    found = covered(rows)
    assert found.loc[1, "share"] == pytest.approx((0.3 + 1 + 1 + 0.2) / 96)
    assert found.loc[7, "share"] == pytest.approx((0.6 + 1 + 1 + 0.2) / 96)
    assert found.loc[7, "bytes"] == pytest.approx(600 + 1000 + 200)
    assert found.loc[1, "objects"] == 4


def test_copies_count_as_whole_reads() -> None:
    found = covered([(0, f"s{i}", None, []) for i in range(48)])
    assert found.loc[1, "share"] == pytest.approx(0.5)
    assert found.loc[1, "fresh"] == pytest.approx(0.5)


@pytest.mark.parametrize(("writer", "share"), [("u1", 0.5), ("u2", 0.05)])
def test_own_writes_make_no_share_smaller(writer: str, share: float) -> None:
    """A thief fills a folder of unknown size with other objects, so that it looks untouched."""
    world = World()
    world.assets = {"run": dict(everyday_world(people=0, days=0).assets["ckpt-evals-1"])
                    | {"asset_id": "run", "objects": None, "bytes": None}}  # fmt: skip
    for number in range(64):
        world.act(back(40), "maker", "run", "write", object=f"s{number}")
    for number in range(640):
        world.act(back(2), writer, "run", "write", object=f"junk-{number}")
    world.read(DAY, "u1", "run", [f"s{number}" for number in range(32)])
    history = history_of(world, DAY)
    found = measure_coverage(history.coverage, history, 1)
    assert found["share"].tolist() == [pytest.approx(share)]
