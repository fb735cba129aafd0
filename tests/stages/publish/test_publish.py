"""The stage ``publish``: what is in the output folder and in Elasticsearch afterwards."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import uuid
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from jobs.inputs.config import load_config
from jobs.platform.delta_tables import replace_day, to_frame
from jobs.platform.elasticsearch import connect
from jobs.platform.errors import RunError
from jobs.platform.files import write_files
from jobs.stages import publish
from jobs.stages.publish.queue_file import FILE_NAME, queue_lines, read_queue, with_day
from schemas.elasticsearch.indices import FINDINGS as FINDINGS_INDEX
from schemas.elasticsearch.indices import search_name
from schemas.tables.access import ACCESS
from schemas.tables.findings import FINDINGS
from schemas.tables.graph import GRAPH_EDGES, GRAPH_NODES
from schemas.tables.spec import Table
from tests.worlds.sample_findings import DAY, make_finding, published

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from schemas.config import JobConfig

pytest_plugins = ("tests.worlds.elastic_server",)

NEXT_DAY = DAY + timedelta(days=1)
WRITE_HALF = """\
import sys, time
from jobs.platform.files import write_files

def parts():
    yield "half of it"
    print("writing", flush=True)
    time.sleep(60)

write_files({sys.argv[1]: parts()})
"""


def make_config(folder: Path, elasticsearch: str = "{url: null}") -> JobConfig:
    folder.mkdir(exist_ok=True)
    for name in ("context", "raw"):
        (folder / name).mkdir(exist_ok=True)
    path = folder / "job.yml"
    path.write_text(
        "sources: [{name: s3, format: aws_cloudtrail, path: raw/*.json.gz}]\n"
        f"alert_budget: 2\nelasticsearch: {elasticsearch}\n"
    )
    return load_config(path)


def store(spark: SparkSession, config: JobConfig, day: date, documents: list[Any]) -> None:
    rows = [
        {
            "day": day,
            "event_id": document["event"]["id"],
            "entity": document["user"]["id"],
            "window": document["exfil"]["window"],
            "risk_score": document["event"]["risk_score"],
            "queue_rank": document["exfil"]["queue_rank"],
            "in_budget": document["exfil"]["in_budget"],
            "members": [],
            "document": json.dumps(document),
        }
        for document in documents
    ]
    put(spark, config, FINDINGS, day, rows)


def put(
    spark: SparkSession, config: JobConfig, table: Table, day: date, rows: list[dict[str, Any]]
) -> None:
    frame = to_frame(spark, pd.DataFrame(rows, columns=table.column_names), table)
    replace_day(frame, config.storage, table, day)


def lines(config: JobConfig) -> list[str]:
    return (Path(config.output) / "findings.ndjson").read_text("utf-8").splitlines()


def test_queue_of_every_day_oldest_first(sail: SparkSession, tmp_path: Path) -> None:
    config = make_config(tmp_path)
    first = [make_finding(f"u{n}", DAY, n, in_budget=n <= 2) for n in range(1, 26)]
    # The second day's only finding rests on the first day's evidence.
    second = [make_finding("u9", DAY, 1, window="7d", name="Zoë \u2028 Ångström")]
    store(sail, config, NEXT_DAY, second)
    store(sail, config, DAY, list(reversed(first)))
    publish.STAGE.run(sail, config, NEXT_DAY)
    assert str(publish.STAGE.run(sail, config, DAY)).startswith("20 findings; 2 days in the queue")
    kept = [*(published(document, DAY) for document in first[:20]), published(second[0], NEXT_DAY)]
    assert lines(config) == [
        json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":")).replace(
            "\u2028", "\\u2028"
        )
        for document in kept
    ]
    store(sail, config, DAY, first[3:5])
    publish.STAGE.run(sail, config, DAY)
    days = [document["exfil"]["day"] for document in map(json.loads, lines(config))]
    assert days == [DAY.isoformat()] * 2 + [NEXT_DAY.isoformat()]
    store(sail, config, DAY, [])
    publish.STAGE.run(sail, config, DAY)
    assert len(lines(config)) == 1


def test_running_again_gives_the_same_bytes(sail: SparkSession, tmp_path: Path) -> None:
    config = make_config(tmp_path)
    store(sail, config, DAY, [make_finding()])
    publish.STAGE.run(sail, config, DAY)
    folder = Path(config.output)
    first = {path.name: path.read_bytes() for path in folder.iterdir()}
    publish.STAGE.run(sail, config, DAY)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == first
    assert sorted(first) == ["findings.ndjson", "report.html"]


def test_characters_that_hide_or_turn_text_are_escaped(sail: SparkSession, tmp_path: Path) -> None:
    """Bidirectional marks, C1 controls, DEL, line ends and invisible tags; letters stay."""
    config = make_config(tmp_path)
    name = "Zoë \u202egnp\u2066.exe\u200f\u061c\x85\x9b2J\x7f\u2029\ufeff\U000e0041"
    store(sail, config, DAY, [make_finding(name=name)])
    publish.STAGE.run(sail, config, DAY)
    text = lines(config)[0]
    assert text.isprintable()
    assert "Zoë" in text
    assert json.loads(text)["user"]["name"] == name
    report = (Path(config.output) / "report.html").read_text("utf-8")
    assert report.replace("\n", "").isprintable()


def test_halves_of_surrogate_pairs_are_no_obstacle(sail: SparkSession, tmp_path: Path) -> None:
    config = make_config(tmp_path)
    store(sail, config, DAY, [make_finding(name="broken \ud83d name")])
    publish.STAGE.run(sail, config, DAY)
    assert json.loads(lines(config)[0])["user"]["name"] == "broken ? name"


def test_a_login_that_is_shaped_like_a_pseudonym_is_a_login(
    sail: SparkSession, tmp_path: Path
) -> None:
    config = make_config(tmp_path)
    login = "user-ABCDEFGHIJKLMNOP"
    store(sail, config, DAY, [make_finding(login), make_finding("u0017", rank=2)])
    store(sail, config, NEXT_DAY, [make_finding(login, NEXT_DAY)])
    for day in (DAY, NEXT_DAY, DAY):
        publish.STAGE.run(sail, config, day)
    published_ids = [json.loads(line)["user"]["id"] for line in lines(config)]
    assert published_ids == [login, "u0017", login]


def test_a_day_without_findings_has_a_report(sail: SparkSession, tmp_path: Path) -> None:
    config = make_config(tmp_path)
    assert str(publish.STAGE.run(sail, config, DAY)).startswith("0 findings")
    assert lines(config) == []
    assert "5 Oct 2026" in (Path(config.output) / "report.html").read_text("utf-8")


def test_the_report_draws_what_the_tables_hold(sail: SparkSession, tmp_path: Path) -> None:
    config = make_config(tmp_path)
    (tmp_path / "context" / "directory.csv").write_text(
        "user_id,email,display_name,kind,team,manager_id,title,employment,country,start_date,"
        "notice_date,end_date,aliases\n"
        "u-ada,,Ada Abara,human,evals,,Engineer,employee,US,,2026-10-01,,ada\n"
        "u-bo,,Bo Bauer,human,evals,,Engineer,employee,US,,,,bo\n"
    )
    (tmp_path / "context" / "assets.csv").write_text(
        "asset_id,kind,name,owner_team,sensitivity,objects,bytes,allowed_countries,pattern\n"
        "orion-7,checkpoint,,pretraining,5,200,,,s3://ckpt/orion-7/*\n"
    )
    (tmp_path / "context" / "approvals.csv").write_text(
        "ticket_id,user_id,pattern,start,end,approver_id,reason\n"
        "LAB-1,u-ada,s3://ckpt/*,2026-10-01,2026-10-31,u-bo,evaluation\n"
        "LAB-2,u-ada,s3://other/*,2026-10-01,2026-10-31,u-ada,copying\n"
        "LAB-3,u-ada,s3://ckpt/*,2026-09-01,2026-09-30,u-bo,last month\n"
    )
    for back in range(3):
        day = DAY - timedelta(days=back)
        put(sail, config, ACCESS, day, [access(day, user) for user in ("u-ada", "u-bo", "u-far")])
    nodes = [
        node("user", "u-ada", 0.1, 0.2, ["u-bo"]),
        node("user", "u-bo", 0.3, 0.1, ["u-ada"]),
        node("user", "u-far", -0.9, -0.8, []),
        node("asset", "orion-7", -0.5, 0.5, []),
        node("asset", "evals", 0.2, 0.2, []),
    ]
    edges = [
        edge("u-ada", "orion-7", True),
        edge("u-ada", "evals", False),
        edge("u-bo", "evals", False),
        edge("u-far", "orion-7", False),
    ]
    put(sail, config, GRAPH_NODES, DAY, nodes)
    put(sail, config, GRAPH_EDGES, DAY, edges)
    store(sail, config, DAY, [make_finding(name="Ada Abara")])
    publish.STAGE.run(sail, config, DAY)
    text = (Path(config.output) / "report.html").read_text("utf-8")
    assert "Bo Bauer (u-bo), a peer" in text
    assert "u-far (u-far)" in text
    assert "orion-7: sensitivity 5, other users: 1, new to this person" in text
    assert "5 Oct" in text
    assert "notice given 2026-10-01" in text
    assert "covers orion-7" in text
    assert "covers none of these assets" in text
    assert "own approval" in text
    assert "LAB-3" not in text
    # Three days of activity, beside one peer.
    assert text.count("7 kB, peers' median 7 kB") == 3
    assert "no activity" in text


def access(day: date, user: str) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(ACCESS.column_names)
    moment = pd.Timestamp(day, tz="UTC")
    lists = [c.name for c in ACCESS.columns if c.type.startswith("array")]
    row |= {name: [] for name in lists}
    row |= {"day": day, "user_id": user, "user_kind": "human", "asset_id": "evals"}
    row |= {"action_class": "read", "events": 3, "failures": 0, "bytes_out": 7000, "objects": 3}
    return row | {"first_time": moment, "last_time": moment}


def node(side: str, key: str, x: float, y: float, peers: list[str]) -> dict[str, Any]:
    row = {"day": DAY, "node_id": key, "node_type": side, "kind": None, "community": 0}
    return row | {"degree": 2, "strength": 1.0, "peers": peers, "x": x, "y": y}


def edge(user: str, asset: str, is_new: bool) -> dict[str, Any]:
    row = {"day": DAY, "user_id": user, "asset_id": asset, "weight": 1.0, "active_days": 1}
    return row | {"today": True, "is_new": is_new, "probability": 0.1}


def put_in_queue(folder: Path, day: date, documents: list[dict[str, Any]]) -> None:
    queue = with_day(read_queue(str(folder)), day, documents)
    write_files({f"{folder}/{FILE_NAME}": queue_lines(queue)})


def test_a_queue_that_is_none_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "findings.ndjson"
    put_in_queue(tmp_path, DAY, [published(make_finding())])
    path.write_text(path.read_text("utf-8") + '{"event": {}}\n')
    before = path.read_bytes()
    with pytest.raises(RunError, match=r"findings\.ndjson line 2 is no finding"):
        put_in_queue(tmp_path, NEXT_DAY, [])
    assert path.read_bytes() == before


def test_a_kill_while_writing_leaves_the_old_file(tmp_path: Path) -> None:
    put_in_queue(tmp_path, DAY, [published(make_finding())])
    path = tmp_path / "findings.ndjson"
    before = path.read_bytes()
    process = subprocess.Popen(
        [sys.executable, "-c", WRITE_HALF, str(path)],
        cwd=Path(__file__).parents[3],
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"writing\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert path.read_bytes() == before
    put_in_queue(tmp_path, NEXT_DAY, [published(make_finding(day=NEXT_DAY), NEXT_DAY)])
    assert len(read_queue(str(tmp_path))) == 2
    assert [kept.name for kept in tmp_path.iterdir()] == ["findings.ndjson"]


# A disk that fills while publishing

PUBLISH_WITH_LITTLE_ROOM = """\
import resource, sys
from jobs.cli import app as cli

most_bytes = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))
sys.exit(cli.main(sys.argv[2:]))
"""


def job_with_a_published_day(spark: SparkSession, folder: Path) -> JobConfig:
    """A job with one published day and a second, of twelve findings, that is not published yet."""
    config = make_config(folder)
    for day in (DAY, NEXT_DAY):
        for table in (ACCESS, GRAPH_NODES, GRAPH_EDGES):
            put(spark, config, table, day, [])
    store(spark, config, DAY, [make_finding()])
    store(spark, config, NEXT_DAY, [make_finding(f"u{n}", NEXT_DAY, n) for n in range(1, 13)])
    publish.STAGE.run(spark, config, DAY)
    return config


def published_files(config: JobConfig) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(config.output).iterdir()}


def publish_with_room_for(most_bytes: int, config: JobConfig) -> tuple[int, str]:
    """Exit code and errors of a publish in which no file may become larger."""
    job = Path(config.storage).parent / "job.yml"
    argv = ["publish", "--config", str(job), "--day", str(NEXT_DAY)]
    done = subprocess.run(
        [sys.executable, "-c", PUBLISH_WITH_LITTLE_ROOM, str(most_bytes), *argv],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


def test_a_file_that_cannot_be_written_whole_leaves_both_as_they_were(
    sail: SparkSession, tmp_path: Path
) -> None:
    config = job_with_a_published_day(sail, tmp_path)
    before = published_files(config)
    for most_bytes in (100, len(before["report.html"]) - 1000):
        code, errors = publish_with_room_for(most_bytes, config)
        assert code == 1
        assert "cannot be written: File too large; findings.ndjson and report.html in" in errors
        assert published_files(config) == before
    assert publish_with_room_for(100_000_000, config) == (0, "")
    assert len(lines(config)) == 13


def test_a_full_disk_leaves_both_files_as_they_were(sail: SparkSession, tmp_path: Path) -> None:
    """A file system of 1 MiB, filled until the findings have room and the report has none."""
    out = tmp_path / "out"
    out.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(out)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this user cannot mount a file system")
    try:
        config = job_with_a_published_day(sail, tmp_path)
        free = shutil.disk_usage(out).free
        (out / "ballast").write_bytes(bytes(free - 64 * 1024))
        before = published_files(config)
        code, errors = publish_with_room_for(100_000_000, config)
        assert code == 1
        assert "report.html cannot be written: No space left on device" in errors
        assert published_files(config) == before
        (out / "ballast").unlink()
        assert publish_with_room_for(100_000_000, config) == (0, "")
    finally:
        subprocess.run(["umount", str(out)], check=True)


def test_elasticsearch_gets_what_the_file_gets(
    sail: SparkSession, tmp_path: Path, elasticsearch_url: str
) -> None:
    prefix = f"t{uuid.uuid4().hex[:10]}"
    config = make_config(tmp_path, f"{{url: '{elasticsearch_url}', prefix: {prefix}}}")
    store(sail, config, DAY, [make_finding(f"u{n}", DAY, n) for n in range(1, 4)])
    assert "Elasticsearch: 3 new, 0 already there" in str(publish.STAGE.run(sail, config, DAY))
    assert "Elasticsearch: 0 new, 3 already there" in str(publish.STAGE.run(sail, config, DAY))
    with connect(config.elasticsearch) as client:
        client.indices.refresh(index=search_name(FINDINGS_INDEX, prefix))
        found = client.search(index=search_name(FINDINGS_INDEX, prefix), sort="exfil.queue_rank")
    assert [hit["_source"] for hit in found["hits"]["hits"]] == [*map(json.loads, lines(config))]


def test_a_server_that_is_down_costs_neither_file(sail: SparkSession, tmp_path: Path) -> None:
    config = make_config(tmp_path, "{url: 'http://127.0.0.1:1'}")
    store(sail, config, DAY, [make_finding()])
    with pytest.raises(RunError, match=r"cannot be reached.*findings\.ndjson and the report are"):
        publish.STAGE.run(sail, config, DAY)
    assert len(lines(config)) == 1
    assert (Path(config.output) / "report.html").exists()
