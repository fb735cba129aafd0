"""Records of one file: lone surrogates, secrets in kept lines, damaged ends."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jobs.stages.ingest.raw_file import RawFile
from jobs.stages.ingest.salvage.records import read_records, repair_surrogates, scrub
from tests.worlds.raw_logs import DAY, write_file
from tests.worlds.troubles import long_lines

if TYPE_CHECKING:
    pass

PLENTY = 1 << 30


def test_only_lone_surrogates_are_mended() -> None:
    whole = r'{"a":"\ud83d\ude00 \\ud83d \u00e9"}'
    assert repair_surrogates(whole) == whole
    assert repair_surrogates(r'"\ud83d \ude00\uD83D"') == '"? ??"'
    assert repair_surrogates(r'"\\\ud83d"') == r'"\\?"'


@pytest.mark.parametrize(
    "text",
    [
        '"authorization":"Bearer HIDDEN.hidden"',
        "Authorization: Bearer HIDDEN",
        '"password": "HIDDEN with spaces HIDDEN"',
        r'"body":"{\"api_key\":\"HIDDEN\",\"x\":1}"',
        "https://user:HIDDEN@example.com/x",
        "?X-Amz-Signature=HIDDEN&x=1",
        "&sig=HIDDEN%2F&sv=1",
        '"sessionToken":"HIDDEN=="',
        '"secretAccessKey": "HIDDEN/x+y"',
        "curl --token HIDDEN --x",
        "mysql --password HIDDEN",
        "PASSWORD=HIDDEN",
        "'client_secret': 'HIDDEN'",
        '"key":"-----BEGIN RSA PRIVATE KEY-----\\nHIDDEN\\nHIDDEN\\n-----END RSA PRIVATE KEY-----"',
        '"key":"-----BEGIN PRIVATE KEY-----\\nHIDDEN cut off',
        '"x":"eyJhbGciOiJI.eyJzdWIiOiIxHIDDEN.HIDDEN"',
        '"x":"ghp_HIDDENHIDDENHIDDENHIDDEN"',
        '"x":"hf_HIDDENHIDDENHIDDEN"',
    ],
)
def test_secrets_are_scrubbed(text: str) -> None:
    line = f'{{"before":1,{text},"after":2}}'
    assert "HIDDEN" not in scrub(line, 2000)
    assert scrub(line, 2000).startswith('{"before":1,')
    # Even if the line is capped in the middle of it.
    assert not any("HIDD" in scrub(line, limit) for limit in range(len(line)))


def test_scrubbed_lines_keep_what_is_no_secret() -> None:
    line = '{"eventName":"GetObject","accessKeyId":"AKIAEXAMPLE","tokens":5,"key":"a/token.json"}'
    assert scrub(line, 2000) == line
    assert scrub(line, 5) == line[:5]
    assert scrub("a\x1b[31m\x00\x85b\tc", 2000) == "a\\x1b[31m\\x00\\x85b\tc"


def read(path: Path, framing: str = "lines", limit: int = PLENTY) -> list[tuple[str, str | None]]:
    raw_file = RawFile(str(path), DAY, framing)
    return [(record.position, record.problem) for record in read_records(raw_file, limit)]


def test_a_file_that_is_too_large_is_one_reject(tmp_path: Path) -> None:
    path = write_file(tmp_path / "bomb.gz", b'{"a":1}\n' * 1000)
    reason = "more than the 4,000 bytes that `ingest.max_file_bytes` allows; the file is not read"
    assert read(path, limit=4000) == [("byte 1", reason)]


@pytest.mark.parametrize("framing", ["lines", "Records"])
def test_half_a_byte_order_mark_is_a_record(tmp_path: Path, framing: str) -> None:
    path = write_file(tmp_path / "a.json", b"\xef\xbb")
    assert len(read(path, framing)) == 1


def test_what_is_lost_at_the_end_is_named_with_its_place(tmp_path: Path) -> None:
    whole = long_lines(0, 50)
    packed = gzip.compress(whole)
    path = write_file(tmp_path / "cut.gz", packed[: len(packed) // 2], pack=False)
    found = read(path)
    good = [position for position, problem in found if problem is None]
    assert good == [f"line {number}" for number in range(1, len(good) + 1)]
    assert 15 < len(good) < 35
    assert found[len(good)] == (f"line {len(good) + 1}", "cut off in the middle")
    assert found[-1][0].startswith("byte ")
    assert found[-1][1] == "gz data end early; what follows is lost"
    assert int(found[-1][0].split()[1]) <= len(whole)
