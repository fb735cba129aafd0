"""The parts in Python read every log file wholly and without errors, whatever its bytes are.

``make fuzz`` runs the same checks on inputs guided by coverage.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.stages.ingest import framing, gzip_files, unknown_fields
from jobs.stages.ingest.salvage import broken_json
from jobs.stages.ingest.salvage import records as salvage
from schemas.formats import FORMATS
from schemas.formats.field_map import field_map
from schemas.sources import Source
from tests.hostile.test_hostile_records import SPOILT
from tests.worlds.raw_logs import DAY
from tests.worlds.sample_records import source_of

PLENTY = 1 << 30
SECRET = "HIDDENHIDDENHIDDEN"
BLANK = re.compile(r"[ \t\r\n\0]+")
SIGNS = '{}[]"\\:, ab1\n\r\ufeff'


def check_text(text: str) -> None:
    """Split, repair and scrub any text."""
    for cut in (False, True):
        lines = [line for _, line, _ in broken_json.split_lines(text, cut)]
        assert BLANK.sub("", "".join(lines)) == BLANK.sub("", text), "a line is lost"
    for array, start in (("Records", '{"Records":['), ("", "[")):
        document = f'{start}{text},{{"planted":1}}'
        pieces = list(broken_json.split_elements(document, array, cut=False))
        for _, piece, problem in pieces:
            assert "\n" not in piece or problem
            assert problem or broken_json.json_problem(salvage.without_depths(piece)) is None
        # A bracket in the text may end the array, so the planted part may not be a record.
        assert "]" in text or any("planted" in piece for _, piece, _ in pieces), "a piece is lost"
    shallow = salvage.without_depths(text)
    assert salvage.without_depths(shallow) == shallow
    for record in salvage.repaired_records(salvage.RawRecord("file", None, "line 1", text)):
        assert broken_json.json_problem(record.text) is None
    scrubbed = salvage.scrub(f"{text} ghp_{SECRET}", len(text) + 100)
    assert SECRET not in scrubbed
    assert not salvage.CONTROL.search(scrubbed)


def check_file(data: bytes, source: Source, folder: Path) -> None:
    """A file of any bytes: unchanged, packed, cut, and with bytes appended."""
    packed = gzip.compress(data, 1, mtime=0)
    for name, content in (
        ("a.log", data),
        ("b.log.gz", packed),
        ("c.log.gz", packed[: 1 + len(data) % len(packed)]),
        ("d.log.gz", packed + data),
    ):
        path = folder / name
        path.write_bytes(content)
        raw_file = framing.inspect(str(path), DAY, source, PLENTY)
        if raw_file is None:
            continue
        gzip_files.find_damage([raw_file])
        records = list(salvage.read_records(raw_file, PLENTY))
        if source.format != "mapped" and raw_file.damage is None:
            unknown_fields._sample(raw_file, field_map(source.format), 5)
        if name == "b.log.gz":
            assert b"".join(gzip_files.read_chunks(str(path))) == data
        if name == "c.log.gz" and content.startswith(gzip_files.GZIP_MAGIC):
            begun = b"".join(upto_error(path))
            assert begun == zlib.decompressobj(wbits=31).decompress(content)
        if name == "a.log" and raw_file.framing == "lines" and data[:2] != gzip_files.GZIP_MAGIC:
            header = raw_file.header if not raw_file.fault else None
            lines = broken_json.split_lines(data.decode("utf-8-sig", errors="replace"), False)
            count = sum(1 for _, line, _ in lines if line != header)
            assert len(records) >= count, "a line of a file is lost"


def upto_error(path: Path) -> Iterator[bytes]:
    """The chunks of a file that ends too early."""
    try:
        yield from gzip_files.read_chunks(str(path))
    except EOFError:
        return


@given(st.one_of(st.text(), st.text(SIGNS)))
def test_any_text_is_split_and_repaired_wholly(text: str) -> None:
    check_text(text)


@pytest.mark.parametrize("format_id", FORMATS)
def test_any_file_is_read_wholly(format_id: str) -> None:
    lines = st.lists(SPOILT[format_id], max_size=3).map(lambda found: "\n".join(found).encode())

    @given(st.one_of(st.binary(), lines))
    def check(data: bytes) -> None:
        with TemporaryDirectory() as folder:
            source = Source(**{**source_of(format_id), "path": f"{folder}/*"})
            check_file(data, source, Path(folder))

    check()
