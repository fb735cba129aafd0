"""Damaged and odd files."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path
from typing import Any

from tests.worlds.raw_logs import envelope, trail_record, write_file


def lines(*numbers: int | str) -> bytes:
    """One record a line."""
    return b"".join(json.dumps(trail_record(n)).encode() + b"\n" for n in numbers)


def long_lines(first: int, count: int) -> bytes:
    """Records that compress badly, so a cut of the packed file lies within them."""
    noise = random.Random(7)
    records = (
        trail_record(first + number, requestID=f"{noise.getrandbits(2000):x}")
        for number in range(count)
    )
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def write_troubles(folder: Path) -> list[dict[str, Any]]:
    """Write the files; returns one source of a job config for each."""
    # The cut must lie beyond the bytes from which the framing is detected.
    packed_lines = gzip.compress(long_lines(1000, 200), mtime=0)
    small = gzip.compress(envelope(trail_record(1), trail_record(2)).encode())
    latin1 = envelope(trail_record(365), 5).replace("aws-cli", "caf\xe9").encode("latin-1")
    members = [lines(301)[:50], lines(301)[50:] + lines(302), b"", lines(303)]
    second = gzip.compress(lines(316, 317))[:-30]
    wrapped = envelope(*(json.loads(line) for line in long_lines(200, 100).splitlines()))
    packed_envelope = gzip.compress(wrapped.encode(), mtime=0)
    broken = bytearray(packed_lines)
    broken[len(broken) // 2 : len(broken) // 2 + 20] = bytes(20)
    contents: dict[str, bytes] = {
        "cut_lines.json.gz": packed_lines[: len(packed_lines) // 2],
        "cut_envelope.json.gz": packed_envelope[: len(packed_envelope) // 2],
        "cut_small.json.gz": small[:-14],
        "damaged.json.gz": bytes(broken),
        "several_members.json.gz": b"".join(map(gzip.compress, members)),
        "text_after_gz.json.gz": gzip.compress(lines(311)) + b"no gz",
        "cut_second_member.json.gz": gzip.compress(lines(315)) + second,
        "zeros_after_gz.json.gz": gzip.compress(lines(321)) + bytes(512),
        "not_packed.json.gz": lines(331, 332),
        "packed.json": gzip.compress(lines(341, 342)),
        "byte_order_mark.json": b"\xef\xbb\xbf" + lines(351) + lines(352),
        "marked_envelope.json": b"\xef\xbb\xbf" + envelope(trail_record(353)).encode(),
        "latin1.json": lines(361).replace(b"aws-cli", b"caf\xe9") + b"{\xff\n" + lines(362),
        "latin1_envelope.json": latin1,
        "empty.json": b"",
        "empty.json.gz": gzip.compress(b""),
        "blank.json": b"\n \r\n\t\n",
        "no_records.json": b'{"Records":[]}',
        "garbage.json": random.Random(7).randbytes(5000),
        "_hidden.json": lines(371),
        ".hidden.json": lines(372),
        "pattern[1].json": lines(373),
        "star*.json": lines(374),
        "colon:10:00.json": lines(375),
        "per%20cent +.json": lines(376),
        "back\\slash.json": lines(377),
        "carriage_return.json": lines(381).replace(b": ", b":\r", 3) + lines(382)[:-1] + b"\r",
        "json_list.json": json.dumps([trail_record(383)]).encode(),
    }
    for name, content in contents.items():
        write_file(folder / name, content, pack=False)
    # `glob` needs special characters in brackets; `*` does not find names that begin with a dot.
    escaped = {name: "".join(f"[{c}]" if c in "*?[" else c for c in name) for name in contents}
    return [{"name": name, "path": str(folder / path)} for name, path in escaped.items()]
