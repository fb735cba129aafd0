"""Rows of sacct in any selection and order of columns, of any cells, over one line or several."""

from __future__ import annotations

import gzip
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.stages.ingest.find_files import files_of_source
from jobs.stages.ingest.formats import LOG_FORMATS
from jobs.stages.ingest.salvage.broken_json import split_lines
from jobs.stages.ingest.salvage.records import joined_rows
from schemas.tables.events import EVENTS
from tests.worlds.raw_logs import DAY, job_config, rows_of, run_ingest, write_file

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r"), max_size=60)
SACCT_CELLS = {
    "JobID": ["1", "1_[2-5%2]", "1+0", "1.batch", "x", ""],
    "JobIDRaw": ["1", "2", "2.0", "|", ""],
    "User": ["ana", "nobody", ""],
    "UID": ["17", "0", ""],
    "Submit": ["2026-10-05T10:00:00", "2026-10-06T10:00:00", "1791194400", "Unknown", "None", ""],
    "Start": ["2026-10-05T10:00:00", "Unknown", "12:00"],
    "State": ["COMPLETED", "CANCELLED by 17", "CANCELLED+", ""],
    "AllocTRES": ["gres/gpu=2,gres/gpu:a=99999999999999999999", "gres/gpu:a=1", "|", ""],
    "JobName": ["JobID", "a|b", "|||"],
    "SubmitLine": ["sbatch x | y", "2026-10-05T10:00:00|1|ana"],
    "Comment": ["|" * 60],
}


@st.composite
def logs_of_sacct(draw: st.DrawFn) -> tuple[list[str], list[list[str]]]:
    """Columns in any order, and rows of any cells, some of them too short or too long."""
    others = [name for name in SACCT_CELLS if name not in ("JobID", "Submit")]
    chosen = draw(st.lists(st.sampled_from(others), unique=True))
    names = draw(st.permutations(["JobID", "Submit", *chosen]))
    cells = [st.one_of(st.sampled_from(SACCT_CELLS[name]), ANY_TEXT) for name in names]
    row = st.one_of(st.tuples(*cells), st.lists(st.one_of(cells))).map(list)
    return names, draw(st.lists(row, min_size=20, max_size=40))


def test_no_row_of_sacct_is_lost(sail: SparkSession) -> None:
    """With a header and without, its names in any case and repeated, rows ended or not."""

    @settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
    @given(logs_of_sacct(), st.booleans(), st.booleans())
    def check(log: tuple[list[str], list[list[str]]], given_fields: bool, ended: bool) -> None:
        names, rows = log
        good = {"JobID": "7", "JobIDRaw": "7", "Submit": "2026-10-05T10:00:00"}
        rows = [[good.get(name, "") for name in names], *rows]
        end = "|" if ended else ""
        header = "|".join(names) + end
        written = ["|".join(row) + end for row in rows]
        lines = [*written, header.upper()] if given_fields else [header, *written, header.upper()]
        source = {"format": "slurm_sacct", "path": "raw/log"}
        if given_fields:
            source["fields"] = "%30,".join(names)
        with TemporaryDirectory() as name:
            folder = Path(name)
            write_file(folder / "raw/log", "\n".join(lines) + "\n")
            config = job_config(folder, [source])
            sums = run_ingest(sail, config)
            events = rows_of(sail, config, EVENTS)
            (raw_file,) = files_of_source(config.sources[0], DAY, 0, config.ingest)
            known = (raw_file.header or "").lower()
            pieces = split_lines("\n".join(lines), cut=False)
            found = list(joined_rows(pieces, known, LOG_FORMATS["slurm_sacct"].text.breaks))
        # Each line is a record, or lines are one together.
        assert sums["records"] == sum(1 for row in found if row[0][1].lower() != known)
        # Of rows without a header only sound ones can tell that all of them are ended.
        ids = {event["event_id"] for event in events}
        assert "-/7/2026-10-05T10:00:00" in ids or (given_fields and ended)
        for event in events:
            empty = [name for name, value in event.items() if value == ""]
            assert not empty, event
            assert all(event["details"].values()), event

    check()


def test_rows_of_several_lines_in_damaged_files(sail: SparkSession, tmp_path: Path) -> None:
    """The slow path puts them together, too, and stops at the cut; a header is no part of them."""
    row = "{}|ana|2026-10-05T10:00:00|sbatch --wrap=cd x\r\ny|COMPLETED\r\n"
    text = "JobID|User|Submit|SubmitLine|State\r\n" + "".join(row.format(n) for n in (1, 2, 3))
    write_file(tmp_path / "raw/marked", b"\xef\xbb\xbf" + text.encode())
    packed = gzip.compress("".join(row.format(n) for n in range(10, 8000)).encode(), mtime=0)
    write_file(tmp_path / "raw/cut.gz", packed[:-500], pack=False)
    source = {
        "format": "slurm_sacct",
        "path": "raw/*",
        "fields": "JobID,User,Submit,SubmitLine,State",
    }
    config = job_config(tmp_path, [source])
    sums = run_ingest(sail, config)
    assert sums["duplicates"] == 0
    assert 1 <= sums["rejects"] <= 3
    assert 6000 < sums["events"] < 7993
    events = {row["event_id"]: row for row in rows_of(sail, config, EVENTS)}
    assert events["-/2/2026-10-05T10:00:00"]["details"]["submit_line"] == "sbatch --wrap=cd x y"
