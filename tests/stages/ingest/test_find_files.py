"""Finding raw files, their framing, and the files that an engine must not read."""

from __future__ import annotations

import gzip
import os
import zlib
from datetime import date, timedelta
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.inputs.config import DEFAULTS
from jobs.platform.errors import RunError
from jobs.stages.ingest.find_files import files_of_source
from jobs.stages.ingest.framing import MISREAD_PATH
from jobs.stages.ingest.gzip_files import find_damage, read_chunks, read_head, too_large
from jobs.stages.ingest.raw_file import RawFile
from schemas.config import Ingest
from schemas.sources import Mapping, Source
from tests.worlds.raw_logs import DAY, envelope, trail_record, write_file

PLENTY = 1 << 30


MAPPING = Mapping(time="when", principal="who", action="what", resource="literal:x")


def source_of(path: Path | str, **fields: object) -> Source:
    return Source(**{"name": "trail", "format": "aws_cloudtrail", "path": str(path), **fields})


def found(source: Source, day: date = DAY, late_days: int = 0, **limits: int) -> list[RawFile]:
    shipped = yaml.safe_load(DEFAULTS.read_text(encoding="utf-8"))["ingest"]
    return files_of_source(source, day, late_days, Ingest(**{**shipped, **limits}))


def names(files: list[RawFile]) -> list[str]:
    return [Path(raw_file.path).name for raw_file in files]


def test_dated_paths_read_the_day_and_the_late_days(tmp_path: Path) -> None:
    for offset in range(-1, 4):
        day = DAY + timedelta(days=offset)
        write_file(tmp_path / f"{day:%Y/%m/%d}" / f"{offset}.json", "{}\n")
    files = found(source_of(tmp_path / "{yyyy}/{mm}/{dd}/*.json"), late_days=2)
    assert [(Path(f.path).stem, f.day) for f in files] == [
        ("0", DAY),
        ("1", DAY + timedelta(days=1)),
        ("2", DAY + timedelta(days=2)),
    ]


def test_undated_paths_belong_to_no_day_and_are_found_once(tmp_path: Path) -> None:
    write_file(tmp_path / "b.json", "{}\n")
    write_file(tmp_path / "a.json", "{}\n")
    files = found(source_of(tmp_path / "*.json"), late_days=2)
    assert names(files) == ["a.json", "b.json"]
    assert [f.day for f in files] == [None, None]


def test_a_month_in_the_path_still_sees_late_files_of_the_next_month(tmp_path: Path) -> None:
    write_file(tmp_path / "2026-10/x.json", "{}\n")
    write_file(tmp_path / "2026-11/y.json", "{}\n")
    files = found(source_of(tmp_path / "{yyyy}-{mm}/*.json"), date(2026, 10, 31), late_days=1)
    assert names(files) == ["x.json", "y.json"]


def test_recursive_patterns_skip_folders(tmp_path: Path) -> None:
    write_file(tmp_path / "a/b/c.json", "{}\n")
    assert names(found(source_of(tmp_path / "**"))) == ["c.json"]


def test_files_without_content_are_no_files(tmp_path: Path) -> None:
    write_file(tmp_path / "empty.json", b"")
    write_file(tmp_path / "empty.json.gz", b"")
    assert found(source_of(tmp_path / "*")) == []


def test_every_unreadable_file_is_named(tmp_path: Path) -> None:
    for name in ("a.json", "b.json"):
        (tmp_path / name).symlink_to(tmp_path / "nowhere")
    with pytest.raises(RunError) as caught:
        found(source_of(tmp_path / "*.json"))
    assert all(text in str(caught.value) for text in ("a.json", "b.json", "'trail'", "permissions"))


@pytest.mark.parametrize(
    ("content", "framing"),
    [
        # As AWS delivers it; spread over lines; with members before.
        (envelope(trail_record(1)), "Records"),
        ('\n {\n "Records" : [\n', "Records"),
        ('{"a": {"b": [1]}, "c": "[{", "Records": []}', "Records"),
        ('{"a": {"b": 1}, "c": "}{", "Records": []}', "Records"),
        # Records within records are no envelope.
        ('{"requestParameters": {"Records": [1]}}\n', "lines"),
        ('{"x": "\\"Records\\": ["}\n', "lines"),
        ('{"eventName": "GetObject"}\n', "lines"),
        ("Records: [", "lines"),
    ],
)
def test_framing(tmp_path: Path, content: str, framing: str) -> None:
    write_file(tmp_path / "a.json", content)
    assert [f.framing for f in found(source_of(tmp_path / "a.json"))] == [framing]


def test_headers(tmp_path: Path) -> None:
    slurm = {"format": "slurm_sacct"}
    write_file(tmp_path / "jobs.txt", "\n\nJobID|Submit\r\n1|ana\r\n")
    (jobs,) = found(source_of(tmp_path / "jobs.txt", **slurm))
    assert (jobs.framing, jobs.header) == ("lines", "JobID|Submit")
    assert (jobs.fault, jobs.damage) == (None, None)
    write_file(tmp_path / "rows.txt", "1|ana\n")
    (rows,) = found(source_of(tmp_path / "rows.txt", **slurm))
    assert "names no column JobID" in str(rows.fault)
    assert "set `fields` of the source" in str(rows.fault)
    assert rows.damage == rows.fault
    (rows,) = found(source_of(tmp_path / "rows.txt", **slurm, fields="JobID,User%20,Submit"))
    assert (rows.header, rows.fault) == ("JobID|User|Submit", None)
    write_file(tmp_path / "untimed.txt", "JobID|User\n1|ana\n")
    (untimed,) = found(source_of(tmp_path / "untimed.txt", **slurm))
    assert "no column Submit, Start or End" in str(untimed.fault)


@pytest.mark.parametrize(
    ("content", "header"),
    [
        ("when,who,what\n", "when,who,what"),
        ('"who","what","when",more\n', '"who","what","when",more'),
        ('{"when": 1}\n', None),
        # A broken first line does not make a JSON log a CSV log.
        ('when": 1}\n{"when": 1}\n', None),
        # Nor does an object in a cell make a CSV log a JSON log.
        ('when,who,what\n1,ana,"x"\n{"a":1}\n', "when,who,what"),
    ],
)
def test_mapped_logs_are_json_or_csv(tmp_path: Path, content: str, header: str | None) -> None:
    write_file(tmp_path / "log", content)
    (log,) = found(source_of(tmp_path / "log", format="mapped", mapping=MAPPING))
    assert (log.header, log.fault) == (header, None)


@pytest.mark.parametrize(
    ("name", "content", "pack", "damage"),
    [
        ("good.json", b"{}\n", False, None),
        ("good.json.gz", b"{}\n", True, None),
        ("a.json.gz", b"{}\n", False, "named .gz although not packed"),
        ("a.json", b"{}\n", True, "packed although not named .gz"),
        ("a.json", b"\xef\xbb\xbf{}\n", False, "byte order mark"),
        ("a.json.gz", b"\xef\xbb\xbf{}\n", True, "byte order mark"),
        ("_a.json", b"{}\n", False, "a path that engines misread"),
        ("a:b.json", b"{}\n", False, "a path that engines misread"),
    ],
)
def test_damage_that_is_seen_at_once(
    tmp_path: Path, name: str, content: bytes, pack: bool, damage: str | None
) -> None:
    write_file(tmp_path / name, content, pack)
    (raw_file,) = found(source_of(tmp_path / "*"))
    assert raw_file.damage == damage


def test_framing_is_told_even_from_a_file_that_is_cut_short(tmp_path: Path) -> None:
    whole = gzip.compress(envelope(*(trail_record(n) for n in range(5))).encode())
    write_file(tmp_path / "a.json.gz", whole[:-20], pack=False)
    (raw_file,) = found(source_of(tmp_path / "*"))
    assert (raw_file.framing, raw_file.damage) == ("Records", "gz data end early")


def test_paths_that_engines_misread() -> None:
    misread = ["/a/b[1].json", "/a*/b", "/a/b?", "/a{x}/b", "/a/_b", "/a/.b", "/a/b:c", "/a\\b/c"]
    read = ["/a/b.json", "/_a/b", "/.a/b", "/a:b/c", "/a b/c%20d+e#f.json", "/a/b_c.d"]
    assert all(MISREAD_PATH.search(path) for path in misread)
    assert not any(MISREAD_PATH.search(path) for path in read)


def test_a_gz_bomb_is_found_before_an_engine_unpacks_it(tmp_path: Path) -> None:
    write_file(tmp_path / "bomb.json.gz", bytes(2_000_000), pack=True)
    write_file(tmp_path / "big.json", b"x" * 200_000)
    write_file(tmp_path / "small.json", b"x" * 100)
    files = found(source_of(tmp_path / "*.json*"), max_file_bytes=100_000)
    assert {Path(f.path).name: f.damage for f in files} == {
        "big.json": "more than the 100,000 bytes that `ingest.max_file_bytes` allows",
        "bomb.json.gz": "more than the 100,000 bytes that `ingest.max_file_bytes` allows",
        "small.json": None,
    }


def test_find_damage(tmp_path: Path) -> None:
    """Each kind that an engine fails on without saying where, among good files."""
    packed = gzip.compress(os.urandom(60_000).hex().encode())
    contents = {
        "good.gz": packed,
        "good.json": b"{}\n",
        "members.gz": gzip.compress(b"a\n") + packed,
        "cut.gz": packed[:-100],
        "zeros.gz": packed + bytes(8),
        "text.gz": packed + b"text",
        "broken.gz": packed[:1000] + bytes(50) + packed[1050:],
        "latin1.json": b"caf\xe9\n",
        "cut_character.json": "é".encode()[:1],
    }
    files = []
    for name, content in contents.items():
        path = write_file(tmp_path / name, content, pack=False)
        files.append(RawFile(str(path), None, "lines"))
    damage = {Path(path).name: problem for path, problem in find_damage(files).items()}
    assert damage.keys() == contents.keys() - {"good.gz", "good.json", "members.gz"}
    assert damage["cut.gz"] == "gz data end early"
    assert damage["latin1.json"] == damage["cut_character.json"] == "bytes that are not UTF-8"
    assert damage["text.gz"].startswith("text after the gz data")
    assert damage["broken.gz"].startswith("gz data are damaged")


@settings(max_examples=60, deadline=None)
@given(
    members=st.lists(st.binary(max_size=50_000), min_size=1, max_size=4),
    padding=st.integers(0, 600),
)
def test_all_members_are_unpacked(
    tmp_path_factory: pytest.TempPathFactory, members: list[bytes], padding: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "members.gz"
    path.write_bytes(b"".join(gzip.compress(member) for member in members) + bytes(padding))
    assert b"".join(read_chunks(str(path))) == b"".join(members)


@settings(max_examples=60, deadline=None)
@given(noise=st.binary(min_size=1, max_size=60_000), share=st.floats(0, 1))
def test_all_that_comes_before_the_cut_is_unpacked(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, share: float
) -> None:
    """As much as zlib itself, fed byte by byte, gets out of what is left."""
    packed = gzip.compress(noise)[: 2 + int(share * (len(gzip.compress(noise)) - 3))]
    path = tmp_path_factory.getbasetemp() / "cut.gz"
    path.write_bytes(packed)
    chunks = []
    with pytest.raises(EOFError, match="end early"):
        chunks.extend(read_chunks(str(path)))
    head, problem = read_head(str(path), PLENTY)
    assert problem == "gz data end early"
    assert head == zlib.decompressobj(wbits=31).decompress(packed).lstrip(b"\0")


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    """With the number there is and the key to raise, and counted over the late days."""
    for offset in range(2):
        day = DAY + timedelta(days=offset)
        for name in "ab":
            write_file(tmp_path / f"{day:%Y/%m/%d}/{name}.json", "{}\n")
    source = source_of(tmp_path / "{yyyy}/{mm}/{dd}/*.json")
    assert len(found(source, late_days=1, max_files=4)) == 4
    with pytest.raises(RunError) as caught:
        found(source, late_days=1, max_files=3)
    assert "source 'trail' has 4 files for 2026-10-05 and 1 days after it" in str(caught.value)
    assert "3 that `ingest.max_files` allows" in str(caught.value)


def test_a_first_line_that_is_too_long_names_no_columns(tmp_path: Path) -> None:
    write_file(tmp_path / "log.csv", "when,who,what," + "x," * 50_000 + "\n1,ana,read\n")
    (raw_file,) = found(source_of(tmp_path / "log.csv", format="mapped", mapping=MAPPING))
    assert raw_file.fault == raw_file.damage
    assert str(raw_file.fault).startswith("the first line is longer than 65,536 bytes")


def test_a_carriage_return_in_a_header_is_a_character(tmp_path: Path) -> None:
    write_file(tmp_path / "log.csv", "when,who,what,x\ry\n")
    (raw_file,) = found(source_of(tmp_path / "log.csv", format="mapped", mapping=MAPPING))
    assert raw_file.fault is None


def test_limit_is_exact(tmp_path: Path) -> None:
    path = write_file(tmp_path / "a.gz", b"x" * 1000)
    assert too_large(str(path), 1000) is None
    assert str(too_large(str(path), 999)).startswith("more than the 999 bytes")
