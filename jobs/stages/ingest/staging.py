"""Parsing raw log files into the staging table: one row for each raw record, in typed columns.

The engine parses every good file. Rows of other days are emptied, because they are only counted.
:mod:`jobs.stages.ingest.salvage.bad_records` looks at the records that the engine could not parse;
the good ones among them come back as lines and join the staging table.
"""

from __future__ import annotations

import gzip
import logging
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from jobs.inputs.context import load_context
from jobs.platform.engine import ENGINE_OPTION
from jobs.platform.errors import InputError, RunError
from jobs.platform.reachable import unseen
from jobs.platform.stores import create_file, file_size, is_url, open_file, remove_folder
from jobs.stages.ingest.dating import dating
from jobs.stages.ingest.formats import LOG_FORMATS
from jobs.stages.ingest.gzip_files import CHUNK_BYTES, find_damage
from jobs.stages.ingest.parse import (
    BAD,
    PARSED_DDL,
    PARSED_TYPES,
    STAGED,
    STAGED_DDL,
    Days,
    parsed_rows,
    read_json,
    read_text,
)
from jobs.stages.ingest.raw_file import RawFile
from jobs.stages.sql import quoted
from models.resolve.assets import FOLDER_SCHEMES, needs_whole_uri
from schemas.config import JobConfig
from schemas.context import Context
from schemas.sources import Source

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

logger = logging.getLogger(__name__)
UNPARTED_BYTES = 100_000
"""Sail reads a file up to this size in one piece."""
SIGNS_OF_DAMAGE = ("deflate", "gzip")
"""Words of Sail's errors about gz data. With other words the damage is found a step later."""
Reader = Callable[["SparkSession", Source, RawFile, list[str]], "DataFrame"]
"""Reads the given paths, which all share one :class:`RawFile` but for path and day."""


@dataclass(frozen=True)
class SourceFiles:
    """A source of the config and its files for the day."""

    source: Source
    files: list[RawFile]

    @property
    def good(self) -> list[RawFile]:
        """Files that the engine can be given."""
        return [raw_file for raw_file in self.files if raw_file.damage is None]

    @property
    def damaged(self) -> list[RawFile]:
        """Files that are read one record after the other."""
        return [raw_file for raw_file in self.files if raw_file.damage is not None]

    def marked(self, damage: Mapping[str, str]) -> SourceFiles:
        """The same files with damage that was found, by path."""
        return SourceFiles(
            self.source, [replace(f, damage=damage.get(f.path, f.damage)) for f in self.files]
        )


@dataclass(frozen=True)
class Parsing:
    """The parsing of files on ``day``, and the place of their rows.

    ``staging``: a folder of the stage. ``days``: the days whose rows get their columns (None:
    ``day``). ``part``: the folder of a part that these days share (see
    :mod:`jobs.stages.ingest.parts`); None for the staging table of ``day``.
    """

    spark: SparkSession
    config: JobConfig
    day: date
    staging: str
    days: Days | None = None
    part: str | None = None

    def path(self, name: str) -> str:
        """Folder of the rows of that name."""
        return rows_path(self.part or self.staging, name)

    def rows(self, name: str) -> DataFrame:
        """Rows that were written under that name."""
        ddl = PARSED_DDL if self.part else STAGED_DDL
        return self.spark.read.schema(ddl).parquet(self.path(name))

    def write(self, frames: list[DataFrame], name: str) -> None:
        """Write rows of :func:`parsed_rows`."""
        rows = _union(frames or [self.spark.createDataFrame([], PARSED_DDL)]).select(*PARSED_TYPES)
        if not self.part:
            lookup = lookup_key(load_context(self.config.context, self.day))
            late = f"coalesce(file_day <> date'{self.day}', false)"
            rows = rows.selectExpr("*", f"{late} as late_file", f"{lookup} as lookup")
            rows = rows.select(*STAGED)
        rows.write.mode("overwrite").option("compression", "snappy").parquet(self.path(name))


def parse_good_files(parsing: Parsing, inputs: list[SourceFiles]) -> list[SourceFiles]:
    """Parse all undamaged files; returns ``inputs`` with the damage that the engine met.

    The engine's own JSON reader is several times faster than parsing text. But it stops at the
    first unexpected record and keeps no text. So it goes first, and a source's files are parsed as
    text only where it fails or finds a doubtful record. An engine does not name the file that it
    failed on. Only if it speaks of gz data, or fails on text, are files read through for damage.
    """
    as_text = []
    for number, entry in enumerate(inputs):
        if (left := _left_by_reader(parsing, entry, f"reader-{number}")) is not None:
            as_text.append(left)
    inputs = _with_marks(inputs, as_text)
    try:
        if as_text or not inputs:
            _parse_files(parsing, as_text, "text", read_text)
        return inputs
    except InputError:
        raise
    except Exception as error:
        if parsing.spark.conf.get(ENGINE_OPTION) != "sail" and (why := unseen(error)):
            raise InputError([_not_seen(as_text, error, why)]) from error
        files = [raw_file for entry in as_text for raw_file in entry.good]
        damage = find_damage(files)
        if not damage:
            raise RunError(f"the engine could not parse the day's files: {error}") from error
    marked = [entry.marked(damage) for entry in as_text]
    _parse_files(parsing, marked, "text", read_text)
    return _with_marks(inputs, marked)


def _with_marks(inputs: list[SourceFiles], marked: list[SourceFiles]) -> list[SourceFiles]:
    """All ``inputs``; those that are also ``marked`` come with their marks."""
    by_name = {entry.source.name: entry for entry in marked}
    return [by_name.get(entry.source.name, entry) for entry in inputs]


def _not_seen(inputs: list[SourceFiles], error: Exception, why: str) -> str:
    """The message for raw files that the engine does not see; it names the source, if known."""
    names = [
        f"source {entry.source.name!r}: path"
        for entry in inputs
        if any(raw_file.path.partition("://")[2] in str(error) for raw_file in entry.good)
    ]
    return f"{names[0] if names else 'sources: path'}: the engine does not see the files: {why}"


def _left_by_reader(parsing: Parsing, entry: SourceFiles, name: str) -> SourceFiles | None:
    """Parse a source's files with the engine's JSON reader; the files to parse as text, if any.

    Only Sail's reader is used: Spark's reader ignores everything after the first value of a line.
    """
    if not readable_by_reader(entry) or parsing.spark.conf.get(ENGINE_OPTION) != "sail":
        return entry
    damage: dict[str, str] = {}
    try:
        _parse_files(parsing, [entry], name, read_json)
        if parsing.rows(name).where(BAD).isEmpty():
            return None
    except Exception as error:
        logger.info("the JSON reader failed; the files are parsed as text", exc_info=True)
        # A damaged file would fail the text of all other sources as well. A bad record does not.
        if any(sign in str(error).lower() for sign in SIGNS_OF_DAMAGE):
            damage = find_damage(entry.good)
    remove_folder(parsing.path(name))
    return entry.marked(damage)


def parse(
    parsing: Parsing, source: Source, files: list[RawFile], reader: Reader, links: str
) -> Iterator[DataFrame]:
    """Rows of files, one frame for each kind among them.

    Packed and plain files are read apart, because Sail reads no mixture. Files of each day are
    read apart, so that each record gets its file's day. ``links``: a local folder, which must stay
    until the frames are computed.
    """
    groups: dict[RawFile, dict[tuple[date | None, bool], list[str]]] = {}
    for raw_file in files:
        alike = groups.setdefault(replace(raw_file, path="", day=None), {})
        packed = raw_file.path.endswith(".gz")
        alike.setdefault((raw_file.day, packed), []).append(raw_file.path)
    embedded = parsing.spark.conf.get(ENGINE_OPTION) == "sail"
    for kind, alike in sorted(groups.items(), key=lambda item: str(item[0])):
        whole = kind.framing != "lines" and not kind.per_line
        records = []
        for (file_day, _), paths in alike.items():
            places = [[path.replace("s3://", "s3a://", 1) for path in paths]]
            if embedded:
                places = _places(paths, whole, parsing.staging, links)
            read = (reader(parsing.spark, source, kind, place) for place in places)
            records += [(file_day, frame) for frame in read]
        yield _rows(parsing, source, records)


def _rows(
    parsing: Parsing, source: Source, records: list[tuple[date | None, DataFrame]]
) -> DataFrame:
    """Rows of records, each frame with the day of its files."""
    dated = [
        frame.selectExpr("*", f"cast({quoted(str(day)) if day else 'null'} as date) as file_day")
        for day, frame in records
    ]
    days = parsing.days or (parsing.day, parsing.day)
    how = dating(source.dated, parsing.day)
    return parsed_rows(_union(dated), source, parsing.config, how, days, parsing.staging)


def readable_by_reader(entry: SourceFiles) -> bool:
    """Whether the engine's JSON reader has a type for all files of a source."""
    form = LOG_FORMATS[entry.source.format]
    if form.json is None or form.json.reader_type is None:
        return False
    return all(
        raw_file.wrapper is None
        or (raw_file.framing == "lines" and not form.wrapper(raw_file.wrapper).as_text)
        for raw_file in entry.good
    )


def _places(paths: list[str], whole: bool, staging: str, links: str) -> list[list[str]]:
    """Lists of paths and URLs, each of which Sail can read at once.

    Sail opens all local files of a list at once to read their heads. It opens only a few files of a
    folder at a time, so it gets a folder in ``links`` with a link to every file. ``whole``: each
    file is one document. Sail splits large plain files at line breaks, even if told to read whole
    files. It never splits packed files, so large files get packed copies in ``staging``.
    """
    folder = tempfile.mkdtemp(dir=links)
    copies = f"{staging}/packed-{uuid.uuid4().hex}"
    urls: list[str] = []
    found: dict[str, list[str]] = {}
    for number, path in enumerate(paths):
        packed = path.endswith(".gz")
        if whole and not packed and file_size(path) > UNPARTED_BYTES:
            _pack(path, f"{copies}/{number:06d}.json.gz")
            found["copies"] = [copies]
        elif is_url(path):
            urls.append(_encoded(path))
            found["urls"] = urls
        else:
            link = Path(folder, f"{number:06d}{'.json.gz' if packed else '.json'}")
            link.symlink_to(Path(path).absolute())
            found["links"] = [folder]
    return list(found.values())


def _encoded(url: str) -> str:
    """A URL as Sail reads it: odd characters of its path are percent-encoded."""
    store, _, path = url.partition("://")[2].partition("/")
    return f"{url.partition('://')[0]}://{store}/{quote(path)}"


def _pack(path: str, copy: str) -> None:
    with (
        open_file(path) as file,
        create_file(copy) as stored,
        gzip.open(stored, "wb", compresslevel=1) as packed,
    ):
        shutil.copyfileobj(file, packed, CHUNK_BYTES)


def _parse_files(parsing: Parsing, inputs: list[SourceFiles], name: str, reader: Reader) -> None:
    local = None if is_url(parsing.staging) else parsing.staging
    with tempfile.TemporaryDirectory(prefix="exfilwatch-links-", dir=local) as links:
        frames = [
            frame
            for entry in inputs
            for frame in parse(parsing, entry.source, entry.good, reader, links)
        ]
        parsing.write(frames, name)


def parse_lines(parsing: Parsing, kinds: list[tuple[Source, RawFile]], name: str) -> None:
    """Parse files of lines. The day of each may be another than that of its path."""
    frames = []
    for source, kind in kinds:
        records = read_text(parsing.spark, source, kind, [kind.path])
        frames.append(_rows(parsing, source, [(kind.day, records)]))
    parsing.write(frames, name)


def read_staged(spark: SparkSession, staging: str, name: str = "*") -> DataFrame:
    """A part of the staging table, or all of it.

    The schema is given, because Sail writes no file for a frame without rows.
    """
    return spark.read.schema(STAGED_DDL).parquet(rows_path(staging, name))


def rows_path(folder: str, name: str) -> str:
    """Folder of parsed rows of that name. To Sail ``*`` is any path: it holds nothing else."""
    return f"{folder}/rows/{name}.parquet"


ODD_SPELLING = "%|[^:]//|/[.]{1,2}(/|$)|^[a-z0-9]+://[^/]*[A-Z]"
"""Pattern of a URI whose plain spelling may be another one, so that its folder may be too."""


def lookup_key(context: Context) -> str:
    """SQL of the part of a URI that decides its asset, unless a pattern is exactly the URI.

    It is the folder if that is enough, else the whole URI, also of a URI that may be spelled in
    another way.
    """
    _, odd = needs_whole_uri(context.assets)
    folder = "substring(resource, 1, length(resource) - length(substring_index(resource, '/', -1)))"
    whole = f"when resource rlike {quoted(odd)} then resource " if odd else ""
    schemes = ", ".join(quoted(scheme) for scheme in FOLDER_SCHEMES)
    in_folder = f"when substring_index(resource, ':', 1) in ({schemes}) then {folder}"
    spelled = f"when resource rlike {quoted(ODD_SPELLING)} then resource "
    return f"case {whole}{spelled}{in_folder} else resource end"


def _union(frames: list[DataFrame]) -> DataFrame:
    return reduce(lambda left, right: left.unionByName(right), frames)
