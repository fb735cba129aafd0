"""Every detector fires on its case, is quiet on its look-alike, and keeps the common contract."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.detectors import (
    DETECTORS,
    describe,
    detector_names,
    detector_settings,
    score_all,
)
from models.detectors.collusion import disjointness
from models.detectors.odd_day import FEATURES, grow_forest
from models.detectors.settings import DetectorSettings
from models.detectors.signal import SIGNAL_COLUMNS, signal_frame
from models.features.baselines import measure_baseline, row_quantile
from models.features.coverage import load_objects, measure_coverage, parse_range, union_lengths
from models.features.history import History
from models.features.volumes import daily_volumes, hourly_volumes, taken_rows, weekly_volumes
from schemas.tables.values import WINDOWS
from tests.worlds.histories import (
    HOME,
    LAST,
    World,
    empty_history,
    everyday_world,
    frames_of,
    history_of,
)

DAY = LAST - timedelta(days=3)  # a Thursday
SETTINGS = detector_settings({})
TECHNIQUE = re.compile(r"T\d{4}(\.\d{3})?|AML\.T\d{4}(\.\d{3})?")
TIME_WINDOW = re.compile(r"\b(\d+ (hour|day|week)s?|window)\b")
DETECTOR_OF = {detector.name: detector for detector in DETECTORS}

Plant = Callable[[World], str]


def score_of(name: str, history: History, settings_: Any = None) -> pd.DataFrame:
    """Signals of one detector as a frame."""
    return signal_frame(DETECTOR_OF[name].score(history, settings_ or SETTINGS[name]))


def back(days: int) -> Any:
    """So many days before the day scored."""
    return DAY - timedelta(days=days)


# ---- what fires --------------------------------------------------------------------------------


def leaver_copies_everything(world: World) -> str:
    world.person("u010")["notice_date"] = back(5)
    for step in (1, 2, 3):
        asset = f"ckpt-pretraining-{step}"
        world.read(DAY, "u010", asset, world.shards(asset), 13)
    return "u010"


def stranger_reads_frontier_checkpoint(world: World) -> str:
    world.read(DAY, "u016", "ckpt-pretraining-2", world.shards("ckpt-pretraining-2")[:45], 2)
    return "u016"


def drip_of_five_shards_a_day(world: World) -> str:
    shards = world.shards("ckpt-pretraining-3")
    for day in range(25):
        part = shards[day * 5 : day * 5 + 5]
        world.read(back(24 - day), "u022", "ckpt-pretraining-3", part, 15)
    return "u022"


def three_read_a_third_each(world: World) -> str:
    shards = world.shards("ckpt-posttraining-1")
    for place, user in enumerate(("u015", "u020", "u028")):
        world.read(DAY, user, "ckpt-posttraining-1", shards[place::3], 11)
    return "u020"


def night_of_clones(world: World) -> str:
    for i in range(30):
        world.act(DAY, "u010", f"repo-{i}", "clone", hour=22, object=f"repo-{i}", network=HOME,
                  action="git.clone", credential="new-token", agent="git")  # fmt: skip
    return "u010"


def service_key_on_a_laptop(world: World) -> str:
    world.read(DAY, "svc-serve", "ckpt-inference-1", world.shards("ckpt-inference-1")[:9], 23,
               network="external/RO/64800", agent="aws-cli", kind="service")  # fmt: skip
    return "svc-serve"


def researcher_enters_serving_pods(world: World) -> str:
    for pod in range(4):
        world.act(DAY, "u018", "ns-inference", "execute", object=f"pod-{pod}", action="pods/exec",
                  agent="kubectl", hour=19)  # fmt: skip
    return "u018"


def copies_to_a_strange_bucket(world: World) -> str:
    for name in world.shards("ckpt-evals-1"):
        world.act(DAY, "u009", "ckpt-evals-1", "copy", object=name, action="CopyObject",
                  destination="s3://elsewhere#999988887777")  # fmt: skip
    return "u009"


def looks_at_everything_and_is_refused(world: World) -> str:
    for asset in world.assets:
        world.act(DAY, "u023", asset, "list", action="ListObjects", hour=3, failed=asset[-1] == "2")
    return "u023"


def everything_at_once(world: World) -> str:
    stranger = "u034"
    for asset in ("ckpt-inference-1", "ckpt-pretraining-1"):
        world.read(
            DAY, stranger, asset, world.shards(asset), 1, network="external/XX/1", agent="curl"
        )
    looks = [a for a in world.assets if a.startswith(("ckpt", "ns"))]
    for asset in looks:
        world.act(DAY, stranger, asset, "list", hour=2, network="external/XX/1", failed=True)
    return stranger


FIRING: dict[str, Plant] = {
    "burst_peers": leaver_copies_everything,
    "burst_self": leaver_copies_everything,
    "cluster_egress": researcher_enters_serving_pods,
    "collusion": three_read_a_third_each,
    "first_access": stranger_reads_frontier_checkpoint,
    "foreign_copy": copies_to_a_strange_bucket,
    "leaver": leaver_copies_everything,
    "mass_clone": night_of_clones,
    "odd_day": everything_at_once,
    "recon": looks_at_everything_and_is_refused,
    "service_misuse": service_key_on_a_laptop,
    "shard_coverage": leaver_copies_everything,
    "slow_drip": drip_of_five_shards_a_day,
}


# ---- what looks alike and is meant to stay low -------------------------------------------------


def whole_team_crunches(world: World) -> str:
    for number in range(3, 48, 6):
        for asset in ("ckpt-evals-1", "ckpt-evals-3"):
            world.read(DAY, f"u{number:03d}", asset, world.shards(asset)[:60], 18)
    return "u021"


def sweep_on_its_weekday(world: World) -> str:
    """The weekly sweep takes place on Mondays; move it all to Thursdays."""
    shift = timedelta(days=3)
    for place, event in enumerate(world.events):
        if event.user == "svc-eval" and event.asset.startswith("ckpt") and event.day + shift <= DAY:
            world.events[place] = replace(event, day=event.day + shift)
    return "svc-eval"


def operator_enters_pods(world: World) -> str:
    for offset in range(28):
        world.act(back(offset), "u005", "ns-inference", "execute", object="pod", action="pods/exec")
    return "u005"


def reads_the_same_shards_daily(world: World) -> str:
    part = world.shards("ckpt-inference-3")[:40]
    for offset in range(20):
        world.read(back(offset), "u002", "ckpt-inference-3", part, 10)
    return "u002"


def team_reads_in_parallel(world: World) -> str:
    for number in range(2, 48, 6):
        world.read(DAY, f"u{number:03d}", "ckpt-inference-3", world.shards("ckpt-inference-3")[:50])
    return "u008"


def known_repositories_again(world: World) -> str:
    mine = sorted({e.asset for e in world.events if e.user == "u010" and "repo" in e.asset})
    for repo in mine:
        world.act(
            DAY, "u010", repo, "clone", object=repo, action="git.clone", credential="key-u010"
        )
    return "u010"


def new_step_of_the_own_run(world: World) -> str:
    world.assets["ckpt-evals-4"] = world.assets["ckpt-evals-1"] | {
        "asset_id": "ckpt-evals-4", "pattern": "s3://ckpt/evals/run/step-4/*",
    }  # fmt: skip
    for user in ("u003", "u009", "u015", "u021"):
        world.read(DAY, user, "ckpt-evals-4", world.shards("ckpt-evals-4")[:3])
    return "u009"


def leaver_works_on(world: World) -> str:
    world.person("u011")["notice_date"] = back(9)
    world.read(DAY, "u011", "ckpt-evals-3", world.shards("ckpt-evals-3")[:6])
    return "u011"


def backup_as_every_night(world: World) -> str:
    return "svc-backup"


QUIET: dict[str, Plant] = {
    "burst_peers": whole_team_crunches,
    "burst_self": sweep_on_its_weekday,
    "cluster_egress": operator_enters_pods,
    "collusion": team_reads_in_parallel,
    "first_access": new_step_of_the_own_run,
    "foreign_copy": backup_as_every_night,
    "leaver": leaver_works_on,
    "mass_clone": known_repositories_again,
    "odd_day": backup_as_every_night,
    "recon": backup_as_every_night,
    "service_misuse": backup_as_every_night,
    "shard_coverage": sweep_on_its_weekday,
    "slow_drip": reads_the_same_shards_daily,
}


@pytest.fixture(scope="module")
def ordinary() -> World:
    return everyday_world()


@pytest.fixture(scope="module")
def planted(ordinary: World) -> Callable[[Plant], tuple[History, str]]:
    made: dict[Plant, tuple[History, str]] = {}
    base = ordinary.events, frames_of(ordinary)

    def plant(case: Plant) -> tuple[History, str]:
        if case not in made:
            world = ordinary.copy()
            world.assets = dict(ordinary.assets)
            user = case(world)
            made[case] = history_of(world, DAY, frames_of(world, base)), user
        return made[case]

    return plant


@pytest.fixture(scope="module")
def usual(ordinary: World) -> pd.DataFrame:
    """Signals of the days before the cases, when nothing was planted."""
    frames = frames_of(ordinary)
    days = [back(offset) for offset in (1, 2, 3, 6, 7)]
    return pd.concat([score_all(history_of(ordinary, day, frames), SETTINGS) for day in days])


def top(rows: pd.DataFrame, user: str) -> pd.DataFrame:
    return rows[rows["entity"] == user]


@pytest.mark.parametrize("name", detector_names())
def test_fires(name: str, planted: Callable[..., Any], usual: pd.DataFrame) -> None:
    history, user = planted(FIRING[name])
    rows = score_of(name, history)
    mine = top(rows, user)
    kind = mine["user_kind"].iloc[0]
    known = usual[(usual["detector"] == name) & (usual["user_kind"] == kind)]
    ranks = []
    for row in mine.itertuples():
        reference = known.loc[known["window"] == row.window, "statistic"]
        ranks.append((reference >= row.statistic).mean())
    assert min(ranks) <= 0.02, mine[["window", "statistic", "reason"]].to_string()


def test_recon_does_not_speak_of_no_refusals(usual: pd.DataFrame) -> None:
    reasons = usual.loc[usual["detector"] == "recon", "reason"]
    assert reasons[reasons.str.contains("refused 0")].tolist() == []


def test_two_unknown_teams_are_not_one_team(planted: Callable[..., Any]) -> None:
    history, user = planted(three_read_a_third_each)

    def statistic(team: str, owner: str) -> float:
        context = replace(
            history.context,
            directory=history.context.directory.assign(team=team),
            assets=history.context.assets.assign(owner_team=owner),
        )
        rows = score_of("collusion", replace(history, context=context))
        return float(top(rows, user)["statistic"].iloc[0])

    assert statistic("evals", "evals") < statistic("evals", "serving")
    assert statistic("", "") == statistic("evals", "serving")


@pytest.mark.parametrize("name", detector_names())
def test_stays_quiet(name: str, planted: Callable[..., Any], usual: pd.DataFrame) -> None:
    history, user = planted(QUIET[name])
    mine = top(score_of(name, history), user)
    known = usual[usual["detector"] == name]
    for row in mine.itertuples():
        reference = known.loc[known["window"] == row.window, "statistic"]
        assert (reference >= row.statistic).mean() > 0.02 or row.statistic <= 0.5, (
            f"{row.window}: {row.statistic} {row.reason}"
        )


class Recorded:
    """Settings that remember what was asked of them."""

    def __init__(self, settings: DetectorSettings) -> None:
        self._settings, self.asked = settings, set[str]()

    def __getattr__(self, key: str) -> Any:
        self.asked.add(key)
        return getattr(self._settings, key)


def test_corpus_of_detectors(planted: Callable[..., Any]) -> None:
    """Walks every detector and lists all offenders at once."""
    folder = Path(__file__).parents[3] / "models" / "detectors"
    names = list(detector_names())
    given = detector_settings({"foreign_copy": {"own_accounts": ["111122223333"]}})
    offenders = []
    stems = sorted(
        p.stem for p in folder.glob("*.py") if p.stem not in ("__init__", "settings", "signal")
    )
    described = sorted(p.stem for p in folder.glob("*.yml"))
    if not stems == described == names == sorted(FIRING) == sorted(QUIET):
        offenders.append(f"py {stems}, yml {described}, registry {names}, cases {sorted(FIRING)}")
    for name in names:
        about = describe(name)
        history, _ = planted(FIRING[name])
        recorded = Recorded(given[name])
        rows = score_of(name, history, recorded)
        checks = {
            "name is the stem": about.name == name,
            "title is short and has no full stop": len(about.title) < 60 and about.title[-1] != ".",
            "goal is a sentence": about.goal.endswith("."),
            "techniques have ids and names": bool(about.techniques)
            and all(TECHNIQUE.fullmatch(t.id) and len(t.name) > 5 for t in about.techniques),
            "both ATT&CK and ATLAS, or ATT&CK alone": about.techniques[0].id.startswith("T"),
            "tactics": bool(about.tactics),
            "data names a table": any("access" in text or "graph" in text for text in about.data),
            "blind spots": bool(about.blind_spots),
            "false positives": bool(about.false_positives),
            "2 or 3 runbook steps": len(about.runbook) in (2, 3),
            "each step has a time": all(TIME_WINDOW.search(step) for step in about.runbook),
            "each step names a field": all(
                re.search(r"[a-z]+[._][a-z_]+", step) or "related" in step for step in about.runbook
            ),
            "its model has the settings of the yml": set(about.defaults)
            == set(DETECTOR_OF[name].settings.model_fields),
            "every setting is used": recorded.asked
            >= {
                key
                for key in about.defaults
                if key not in DetectorSettings.model_fields and not key.startswith("min_")
            },
            "settings explained": all(d.unit and d.raising for d in about.defaults.values()),
            "every unit has its least amount": {f"min_{u}" for u in rows["unit"]}
            <= set(about.defaults) | {"min_isolation"},
        }
        offenders += [f"{name}: {what}" for what, good in checks.items() if not good]
    assert not offenders, "\n".join(offenders)


@pytest.mark.parametrize("name", detector_names())
def test_common_contract(name: str, planted: Callable[..., Any]) -> None:
    history, _ = planted(FIRING[name])
    rows = score_of(name, history)
    assert tuple(rows.columns) == SIGNAL_COLUMNS
    assert not rows.duplicated(["entity", "window"]).any()
    assert set(rows["window"]) <= set(WINDOWS)
    assert np.isfinite(rows["statistic"].astype(float)).all()
    assert np.isfinite(rows["observed"].astype(float)).all()
    active = set(history.access.loc[history.access["day"] == DAY, "user_id"])
    assert set(rows["entity"]) <= active
    assert rows["reason"].map(lambda text: 10 < len(text) < 500).all()
    known = set(history.access["asset_id"])
    assert all(set(assets) <= known for assets in rows["asset_ids"])


@pytest.mark.parametrize("name", detector_names())
def test_nothing_gives_nothing(name: str, planted: Callable[..., Any]) -> None:
    assert score_of(name, empty_history()).empty
    history, _ = planted(FIRING[name])
    later = replace(history, day=DAY + timedelta(days=1))
    rows = score_of(name, later)
    assert tuple(rows.columns) == SIGNAL_COLUMNS
    assert rows.empty


def test_no_detector_looks_ahead(ordinary: World) -> None:
    """Rows of later days, of the same and of other identities, change nothing."""
    frames = frames_of(ordinary)
    plain = history_of(ordinary, DAY, frames)
    later = ordinary.copy()
    for offset in range(1, 4):
        for user in ("u010", "u016", "svc-eval", "new"):
            shards = later.shards("ckpt-evals-1")
            later.read(DAY + timedelta(days=offset), user, "ckpt-evals-1", shards)
    access, objects = frames_of(later, (ordinary.events, frames))
    peeking = replace(plain, access=access, object_access=objects)
    pd.testing.assert_frame_equal(score_all(plain, SETTINGS), score_all(peeking, SETTINGS))


def test_order_of_rows_does_not_matter(planted: Callable[..., Any]) -> None:
    history, _ = planted(everything_at_once)
    rng = np.random.default_rng(2)

    def mixed(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.iloc[rng.permutation(len(frame))].reset_index(drop=True)

    shuffled = replace(
        history, access=mixed(history.access), object_access=mixed(history.object_access),
        nodes=mixed(history.nodes), edges=mixed(history.edges),
    )  # fmt: skip
    expected, found = score_all(history, SETTINGS), score_all(shuffled, SETTINGS)
    pd.testing.assert_frame_equal(expected, found, rtol=1e-9)


def test_no_context_at_all(planted: Callable[..., Any]) -> None:
    """Without directory and assets there is less to say, and nothing breaks."""
    history, user = planted(leaver_copies_everything)
    bare = replace(history, context=empty_history().context)
    rows = score_all(bare, SETTINGS)
    assert user in set(rows["entity"])
    assert {"burst_self", "shard_coverage", "first_access"} <= set(rows["detector"])


def test_unknown_bytes_are_not_zero(planted: Callable[..., Any]) -> None:
    """Where no bytes are logged, objects speak: the thief stays on top."""
    history, user = planted(leaver_copies_everything)
    access = history.access.assign(bytes_out=None)
    access["hourly"] = [[h | {"bytes": 0} for h in hours] for hours in access["hourly"]]
    blind = replace(
        history, access=access, object_access=history.object_access.assign(bytes_out=None)
    )
    rows = score_of("burst_self", blind)
    people = rows[(rows["user_kind"] == "human") & (rows["window"] == "1d")]
    assert people.sort_values("statistic")["entity"].iloc[-1] == user
    assert set(people["unit"]) <= {"objects", "assets"}
    covered = score_of("shard_coverage", blind)
    mine = top(covered, user).set_index("window")
    assert mine.loc["1d", "observed"] == 1.0


# ---- settings ----------------------------------------------------------------------------------


def test_overrides_change_only_what_they_name() -> None:
    changed = detector_settings({"recon": {"weight": 0.1}})
    assert changed["recon"].weight == 0.1
    weight = SETTINGS["recon"].weight
    assert changed | {"recon": changed["recon"].model_copy(update={"weight": weight})} == SETTINGS


def test_a_hash_tells_which_settings_are_in_force(planted: Callable[..., Any]) -> None:
    history, _ = planted(leaver_copies_everything)
    changed = detector_settings({"recon": {"weight": 0.1}})
    hashes = [
        score_all(history, each).groupby("detector")["settings_hash"].unique()
        for each in (SETTINGS, SETTINGS, changed)
    ]
    assert all(len(each) == 1 for found in hashes for each in found)
    assert hashes[0].equals(hashes[1])
    assert [name for name in hashes[0].index if hashes[0][name] != hashes[2][name]] == ["recon"]


def test_all_wrong_settings_are_listed() -> None:
    with pytest.raises(ValueError, match="no such detector") as error:
        detector_settings(
            {"bursts": {}, "recon": {"wieght": 1, "enabled": 1, "weight": "much"},
             "odd_day": {"trees": 1.5, "seed": -1}, "foreign_copy": {"own_accounts": [1]}}
        )  # fmt: skip
    lines = str(error.value).splitlines()
    known = ", ".join(sorted(describe("recon").defaults))
    assert sorted(lines) == [
        f"detectors.bursts: no such detector; one of {', '.join(detector_names())}",
        "detectors.foreign_copy.own_accounts: a list of texts expected, not [1]",
        "detectors.odd_day.seed: a number of at least 0 expected (whole number), not -1",
        "detectors.odd_day.trees: a whole number expected (trees), not 1.5",
        "detectors.recon.enabled: true or false expected, not 1",
        "detectors.recon.weight: a number of at least 0 expected (factor), not 'much'",
        f"detectors.recon.wieght: no such setting; one of {known}",
    ]


def test_disabled_detectors_are_silent(planted: Callable[..., Any]) -> None:
    history, _ = planted(leaver_copies_everything)
    rows = score_all(history, detector_settings({"burst_self": {"enabled": False}}))
    assert "burst_self" not in set(rows["detector"])
    assert "burst_peers" in set(rows["detector"])


# ---- the mathematics below, against the obvious way --------------------------------------------


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 60), st.integers(1, 20)), max_size=25))
def test_union_of_ranges(spans: list[tuple[int, int, int]]) -> None:
    group = np.array([g for g, _, _ in spans], dtype=np.int64)
    start = np.array([s for _, s, _ in spans], dtype=np.int64)
    end = np.array([s + n for _, s, n in spans], dtype=np.int64)
    found = union_lengths(group, start, end, 4)
    for number in range(4):
        covered = {b for g, s, n in spans if g == number for b in range(s, s + n)}
        assert found[number] == len(covered)


def test_ranges_are_read_as_http_means_them() -> None:
    assert parse_range("bytes=0-9") == ((0, 10),)
    assert parse_range("bytes=0-0, 5-6") == ((0, 1), (5, 7))
    first, last = parse_range("bytes=100-")[0]
    assert first == 100 and last > 10**12
    assert parse_range("bytes=-5")[0][1] - parse_range("bytes=-5")[0][0] == 5
    for broken in ("", "bytes=", "bytes=9-3", "rows=1-2", "bytes=--", "bytes=" + "9" * 40 + "-"):
        assert parse_range(broken) == parse_range("nonsense")


def coverage_of(rows: list[tuple[Any, ...]], windows: tuple[int, ...] = (1, 7)) -> pd.DataFrame:
    """Coverage of one user of ckpt-evals-1 (96 shards).

    From (days ago, object, size, ranges) and perhaps (bytes of parts, the object's size).
    """
    world = World()
    world.assets = {"ckpt-evals-1": everyday_world(people=0, days=0).assets["ckpt-evals-1"]}
    base = history_of(everyday_world(people=2, days=3), LAST - timedelta(days=32))
    frame = pd.DataFrame(
        [
            {"day": back(ago), "user_id": "u1", "user_kind": "human", "asset_id": "ckpt-evals-1",
             "object": name, "reads": 1, "bytes_out": size, "ranges": ranges,
             "part_bytes": parts[0] if parts else None, "object_bytes": parts[1] if parts else None,
             "first_time": pd.Timestamp(back(ago)), "last_time": pd.Timestamp(back(ago))}
            for ago, name, size, ranges, *parts in rows
        ]
    )  # fmt: skip
    objects = load_objects(replace(base, day=DAY, object_access=frame))
    return measure_coverage(objects, objects.touched(90), windows).set_index("days")


def test_ranged_reads_merge_over_days() -> None:
    """Halves and overlaps on different days make whole objects, and are counted once."""
    size = 2_000_000_000
    rows = [(30, f"s{i}", size, []) for i in range(2)]  # sizes become known
    rows += [(3, f"s{i}", None, [f"bytes=0-{size // 2 - 1}"]) for i in range(2)]
    rows += [(0, f"s{i}", None, [f"bytes={size // 4}-{size - 1}"]) for i in range(2)]
    found = coverage_of(rows)
    assert found.loc[1, "share"] == pytest.approx(2 * 0.75 / 96)
    assert found.loc[7, "share"] == pytest.approx(2 / 96)
    assert found.loc[7, "fresh"] == pytest.approx(0)  # all was read a month before
    assert found.loc[7, "bytes"] == pytest.approx(2 * size)


def test_looking_into_headers_is_no_reading() -> None:
    rows = [(9, f"s{i}", 2_000_000_000, []) for i in range(96)]
    rows += [(0, f"s{i}", 1024, ["bytes=0-1023"]) for i in range(96)]
    found = coverage_of(rows)
    assert found.loc[1, "objects"] == 96
    assert found.loc[1, "share"] < 1e-5


def test_parts_of_unknown_place_add_up() -> None:
    """Which part it was is not told: they count as if none had been read twice."""
    rows = [(ago, "s0", 300, [], 300, 1000) for ago in (3, 0)]
    # More than all of it, and parts of what has shown no size, are all of it.
    rows += [(0, "s1", 1500, [], 1500, 1000), (0, "s2", 300, [], 300, None)]
    # Beside a known range; and no byte of it at all.
    rows += [(0, "s3", 200, ["bytes=0-99"], 100, 1000), (0, "s4", 0, [], 0, 1000)]
    found = coverage_of(rows)
    assert found.loc[1, "share"] == pytest.approx((0.3 + 1 + 1 + 0.2) / 96)
    assert found.loc[7, "share"] == pytest.approx((0.6 + 1 + 1 + 0.2) / 96)
    assert found.loc[7, "bytes"] == pytest.approx(600 + 1000 + 200)
    assert found.loc[1, "objects"] == 4


def test_copies_count_as_whole_reads() -> None:
    found = coverage_of([(0, f"s{i}", None, []) for i in range(48)])
    assert found.loc[1, "share"] == pytest.approx(0.5)
    assert found.loc[1, "fresh"] == pytest.approx(0.5)


def test_row_quantile_is_numpys() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(40, 17))
    values[rng.random(values.shape) < 0.4] = np.nan
    values[3] = np.nan
    for q in (0.0, 0.5, 0.9):
        found = row_quantile(values, q)
        assert np.isnan(found[3])
        rest = np.delete(np.arange(40), 3)
        np.testing.assert_allclose(found[rest], np.nanquantile(values[rest], q, axis=1))


def test_baseline_is_own_with_days_and_the_peers_without() -> None:
    rng = np.random.default_rng(4)
    past = rng.normal(5.0, 0.5, (30, 60))
    past[0] = rng.normal(9.0, 0.5, 60)  # always takes much
    past[1] = np.nan  # new today
    none = [np.zeros(0, dtype=np.int64)] * 30
    found = measure_baseline(past, past[:, 0], np.zeros(30, dtype=np.int64), none, 7.0)
    assert found.location[0] == pytest.approx(9.0, abs=0.6)
    assert found.location[1] == pytest.approx(5.0, abs=0.3)
    np.testing.assert_allclose(found.spread[2:], 0.5, atol=0.2)


def test_volumes_are_sums_of_rows(ordinary: World) -> None:
    history = history_of(ordinary, DAY)
    taken = taken_rows(history, "hourly")
    daily, weekly = daily_volumes(taken), weekly_volumes(taken, 31)
    hourly = hourly_volumes(taken, 28)
    place = int(np.flatnonzero(daily.users == "u010")[0])
    mine = [e for e in ordinary.events if e.user == "u010" and not e.failed
            and e.action_class in ("read", "clone")]  # fmt: skip
    for ago in range(20):
        day = [e for e in mine if e.day == back(ago)]
        week = [e for e in mine if back(ago + 6) <= e.day <= back(ago)]
        sizes = sum(e.size or 0 for e in day)
        by_hour: dict[int, int] = {}
        for event in day:
            by_hour[event.hour] = by_hour.get(event.hour, 0) + (event.size or 0)
        assert np.nan_to_num(daily.amounts["bytes"][place, ago]) == sizes
        assert np.nan_to_num(daily.amounts["assets"][place, ago]) == len({e.asset for e in day})
        assert np.nan_to_num(weekly.amounts["bytes"][place, ago]) == sum(e.size or 0 for e in week)
        assert np.nan_to_num(weekly.amounts["assets"][place, ago]) == len({e.asset for e in week})
        assert np.nan_to_num(hourly.amounts["bytes"][place, ago]) == max(
            by_hour.values(), default=0
        )


def test_disjointness_is_standard_normal_for_chance_readers() -> None:
    """z of independent random parts has mean 0 and spread below 1 (a 1 is added under the root)."""
    rng = np.random.default_rng(9)
    values = []
    for _ in range(400):
        reads = np.zeros((3, 120), dtype=bool)
        for row in reads:
            row[rng.choice(120, 40, replace=False)] = True
        values.append(disjointness(reads, 120))
    assert np.mean(values) == pytest.approx(0, abs=0.2)
    assert 0.7 < np.std(values) < 1.1
    apart = np.kron(np.eye(3, dtype=bool), np.ones((1, 40), dtype=bool))
    assert disjointness(apart, 120) > 5


def test_forest_ranks_the_far_point_first() -> None:
    past = np.random.default_rng(1).normal(size=(400, len(FEATURES)))
    forest = grow_forest(past, SETTINGS["odd_day"])
    far = np.full((1, len(FEATURES)), 6.0)
    assert -forest.score_samples(far)[0] > (-forest.score_samples(past)).max()
