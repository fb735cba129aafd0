"""Checks whether a job can run here: one line each, with the remedy if something is missing."""

from __future__ import annotations

import re
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from pathlib import Path
from typing import Literal

from jobs.platform.errors import InputError, RunError
from jobs.platform.stores import is_url, open_file, reason
from jobs.platform.terminal_text import printable, styled
from jobs.stages.ingest.listing import (
    Found,
    any_day,
    day_folder,
    matching_files,
    own_folder,
    storage_problem,
    unmatched_files,
)
from schemas.config import JobConfig
from schemas.sources import Source

PACKAGES = (
    "pyspark",
    "pysail",
    "delta-spark",
    "deltalake",
    "pyarrow",
    "pandas",
    "numpy",
    "scipy",
    "scikit-learn",
    "networkx",
    "great-expectations",
    "elasticsearch",
    "apache-airflow",
    "pydantic",
    "pyyaml",
    "jinja2",
    "typer",
    "rich",
    "httpx",
)
OLDEST_PYTHON = (3, 11)
OLDEST_JAVA = 17
SERVER_SECONDS = 10
MOST_FILES = 1_000_000
"""At most as many files of a source are listed, over all its days."""
FEWEST_OPEN_FILES = 1024
"""A run may need as many open files at once, including those of the engine and of its tables."""
STYLES = {"ok": "green", "warning": "yellow", "missing": "bold red"}
STORE_NEEDS = "the bucket and its credentials in the environment"
REINSTALL = "run `make env`, or install the pinned packages of requirements.lock"


@dataclass(frozen=True)
class Check:
    """One checked thing, its state, and the remedy unless the state is ``ok``."""

    name: str
    state: Literal["ok", "warning", "missing"]
    found: str
    remedy: str = ""

    def __str__(self) -> str:
        state = styled(f"{self.state:<8}", STYLES[self.state])
        line = f"{state} {printable(f'{self.name}: {self.found}')}"
        return f"{line}\n         → {printable(self.remedy)}" if self.remedy else line


def examine(path: Path, out: Path | None = None) -> Iterator[Check]:
    """Run all checks of the job at ``path``, the cheapest first. An invalid config ends them."""
    yield check_python()
    yield check_packages()
    from jobs.inputs.config import load_config
    from jobs.platform.damaged_tables import table_problems

    try:
        config = load_config(path, out)
    except InputError as error:
        for problem in error.problems:
            yield Check("config", "missing", problem, "correct this key or file")
        return
    yield Check("config", "ok", f"{path}, {len(config.sources)} sources")
    yield from check_sources(config)
    yield check_open_files()
    yield from check_context_files(config)
    yield check_writable("storage", config.storage)
    yield from (Check("storage", "missing", found) for found in table_problems(config.storage))
    yield from check_private("storage", config.storage)
    yield check_writable("output", config.output)
    if config.privacy.pseudonymize:
        yield check_pseudonym_key(config)
        yield check_writable("privacy.identities", config.privacy.identities)
    if config.engine != "sail" and not config.engine.startswith("sc://"):
        yield check_java()
    yield check_engine(config.engine)
    yield check_elasticsearch(config)


def check_python() -> Check:
    """The interpreter's version."""
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < OLDEST_PYTHON:
        return Check("python", "missing", found, "use Python 3.11 to 3.13")
    return Check("python", "ok", found)


def check_packages() -> Check:
    """Whether all packages are there, and both distributions of PySpark have one version."""
    versions: dict[str, str] = {}
    missing = []
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            missing.append(package)
    if missing:
        return Check("packages", "missing", f"not installed: {', '.join(missing)}", REINSTALL)
    try:
        client = version("pyspark-client")
    except PackageNotFoundError:
        client = versions["pyspark"]
    if client != versions["pyspark"]:
        # Both write the same files, so the later installation breaks the earlier one.
        found = f"pyspark {versions['pyspark']} beside pyspark-client {client}"
        return Check("packages", "missing", found, f"they must be one version; {REINSTALL}")
    return Check("packages", "ok", f"{len(versions)} found, pyspark {versions['pyspark']}")


def check_sources(config: JobConfig) -> Iterator[Check]:
    """Whether each source's path can be listed and matches a file of any day.

    Also warns of files that lie in a source's folders of days but match no source's path.
    """
    listed: dict[str, list[Found]] = {}
    for source in config.sources:
        if problem := storage_problem(source):
            yield Check(f"source {source.name}", "missing", problem, "a run stops before it begins")
            continue
        problems: dict[str, str] = {}
        found = matching_files(any_day(source.path), own_folder(source.path), problems)
        listed[source.name] = list(islice(found, MOST_FILES))
        yield check_source(source, listed[source.name], problems)
    if any(len(files) == MOST_FILES for files in listed.values()):
        return
    matched = {file.real for files in listed.values() for file in files}
    for source in config.sources:
        if source.name in listed and (folder := day_folder(source.path)):
            yield from check_unmatched(source, any_day(folder), matched)


def check_source(source: Source, files: list[Found], problems: dict[str, str]) -> Check:
    """The check of one source, from its files of all days and the folders that cannot be listed."""
    name = f"source {source.name}"
    if problems:
        folders = [
            f"cannot list the folder {folder}: {reason}"
            for folder, reason in sorted(problems.items())
        ]
        remedy = "let this user list and enter these folders (permissions r and x)"
        if is_url(source.path):
            remedy = f"check {STORE_NEEDS}, or change the source's path"
        return Check(name, "missing", "\n         ".join(map(printable, folders)), remedy)
    odd = sorted((file for file in files if file.odd), key=lambda file: file.path)
    if odd:
        first = f"{odd[0].path}: {odd[0].odd}"
        found = printable(f"{len(odd):,} odd files that are not read (such as {first})")
        return Check(name, "warning", found, "remove them, or keep them out of the source's path")
    if not files:
        remedy = "check the pattern and the delivery; a day without any file cannot be run"
        state: Literal["warning", "missing"] = "missing" if source.required else "warning"
        return Check(name, state, f"no file matches {source.path}", remedy)
    first = min(file.path for file in files)
    try:
        with open_file(first) as file:
            file.read(1)
    except OSError as error:
        remedy = "let this user read the source's files"
        return Check(name, "missing", f"cannot read {printable(first)}: {reason(error)}", remedy)
    return Check(name, "ok", f"{source.path}: {len(files):,} files (such as {printable(first)})")


def check_unmatched(source: Source, pattern: str, matched: set[str]) -> Iterator[Check]:
    """A warning if files in a source's folders of days match no source's path."""
    found = unmatched_files(pattern, own_folder(source.path), matched)
    paths = list(islice(found, MOST_FILES))
    if paths:
        yield Check(
            f"source {source.name}",
            "warning",
            f"the path of no source matches {len(paths):,} files in its folders of days (such as "
            f"{printable(min(paths))})",
            "widen the source's path (`*.json*`, `**/*.json`), add a source, or move the files",
        )


def check_open_files() -> Check:
    """Whether a run may open enough files at once. The need does not grow with a day's files."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= hard < FEWEST_OPEN_FILES:
        remedy = f"let this user open {FEWEST_OPEN_FILES:,} files (`ulimit -H -n`)"
        return Check("open files", "warning", f"at most {hard:,}", remedy)
    return Check("open files", "ok", "no limit" if hard < 0 else f"at most {hard:,}")


def check_context_files(config: JobConfig) -> Iterator[Check]:
    """Every context file of every day."""
    from jobs.inputs.context import check_context, every_version, has_file
    from jobs.inputs.csv_rows import COLUMNS
    from models.resolve.assets import concealing_patterns

    try:
        check_context(config.context)
    except InputError as error:
        for problem in error.problems:
            yield Check("context", "missing", problem, "correct this line or file")
        return
    absent = [f"{kind}.csv" for kind in COLUMNS if not has_file(config.context, kind)]
    if absent:
        remedy = "a job runs without, but detects less"
        yield Check("context", "warning", f"{config.context} has no {', '.join(absent)}", remedy)
    else:
        yield Check("context", "ok", config.context)
    nested = [
        problem
        for rows in every_version(config.context, "assets")
        for problem in concealing_patterns(rows)
    ]
    for problem in dict.fromkeys(nested):
        remedy = "give it the higher sensitivity, or set `assets.nested` in the config"
        yield Check("context", "warning", f"assets.csv: {problem}", remedy)


def check_writable(name: str, place: str) -> Check:
    """Whether files can be made in the folder or, if the folder is missing, in its parent."""
    if "://" in place:
        return _check_object_store(name, place)
    folder = Path(place)
    while not folder.exists():
        folder = folder.parent
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".exfilwatch-doctor-"):
            pass
    except OSError as error:
        found = f"{folder}: {error.strerror or error}"
        return Check(name, "missing", found, f"let this user write there, or change `{name}`")
    free = shutil.disk_usage(folder).free
    return Check(name, "ok", f"{place} ({free / 1e9:,.1f} GB free)")


def check_private(name: str, place: str) -> Iterator[Check]:
    """A warning if other users may read a folder that names people."""
    if "://" not in place and Path(place).is_dir() and Path(place).stat().st_mode & 0o077:
        yield Check(name, "warning", f"{place} is open to others", f"chmod 700 {place}")


def check_pseudonym_key(config: JobConfig) -> Check:
    """Whether the environment holds a pseudonym key of sufficient length."""
    from jobs.privacy.identities_file import pseudonym_key

    try:
        pseudonym_key(config)
    except InputError as error:
        return Check("pseudonyms", "missing", str(error), "set it where `publish` runs")
    return Check("pseudonyms", "ok", f"the key is in {config.privacy.key_env}")


def _check_object_store(name: str, place: str) -> Check:
    from jobs.platform.delta_tables import table_exists
    from jobs.platform.errors_in_words import one_line
    from schemas.tables.events import EVENTS

    try:
        table_exists(place, EVENTS)
    except Exception as error:  # noqa: BLE001  # whatever the store's client raises
        needed = STORE_NEEDS
        if place.startswith("hdfs://"):
            needed = "the namenode's host and port (a nameservice needs HADOOP_CONF_DIR)"
        remedy = f"check {needed}, or change `{name}`"
        return Check(name, "missing", f"{place}: {one_line(error)}", remedy)
    return Check(name, "ok", f"{place} can be read (writing is not tried)")


def check_java() -> Check:
    """Whether Java is there and new enough for Apache Spark."""
    remedy = f"install a JDK {OLDEST_JAVA} or later, or set `engine: sail`, which needs none"
    java = shutil.which("java")
    if java is None:
        return Check("java", "missing", "not on the path", remedy)
    try:
        answer = subprocess.run(
            [java, "-version"], capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Check("java", "missing", f"{java} does not run: {error}", remedy)
    text = answer.stderr + answer.stdout
    number = re.search(r'version "(?:1\.)?(\d+)', text)
    if not number or int(number[1]) < OLDEST_JAVA:
        return Check("java", "missing", " ".join(text.split())[:100], remedy)
    return Check("java", "ok", f"{java}, version {number[1]}")


def check_engine(engine: str) -> Check:
    """Start a session and count three rows."""
    from jobs.platform.engine import engine_session
    from jobs.platform.errors_in_words import one_line
    from jobs.platform.reachable import engine_name, reach_server

    name = engine_name(engine)
    try:
        reach_server(engine)
        with engine_session(engine) as spark:
            counted = spark.range(3).count()
    except RunError as error:
        return Check(
            "engine", "missing", str(error), "or set `engine: sail`, which needs no server"
        )
    except Exception as error:  # noqa: BLE001  # whatever the engine raises
        remedy = "check `engine`, the packages and Java; `engine: sail` needs no server and no Java"
        return Check("engine", "missing", f"{name}: {one_line(error)}", remedy)
    if counted != 3:
        return Check("engine", "missing", f"{name} counted {counted} of 3 rows", REINSTALL)
    return Check("engine", "ok", f"{name} starts and counts")


def check_elasticsearch(config: JobConfig) -> Check:
    """Whether the configured credentials may publish.

    The check does not ask for the server's health or version, because the publishing role may not
    see them.
    """
    settings = config.elasticsearch
    if settings.url is None:
        return Check("elasticsearch", "ok", "not configured: findings go to the output folder only")
    from jobs.platform.elasticsearch import check_ready, connect
    from jobs.platform.errors_in_words import one_line

    try:
        with connect(settings) as client:
            limited = client.options(request_timeout=SERVER_SECONDS, max_retries=0)
            check_ready(limited, settings.prefix)
    except RunError as error:
        return Check(
            "elasticsearch", "missing", str(error), "correct this, or change `elasticsearch`"
        )
    except Exception as error:  # noqa: BLE001  # transport, TLS, authentication, another product
        remedy = (
            "check that the server runs and `elasticsearch` (url, ca_certs) and the secret in "
            f"{settings.password_env if settings.username else settings.api_key_env}"
        )
        return Check("elasticsearch", "missing", f"{settings.url}: {one_line(error)}", remedy)
    return Check("elasticsearch", "ok", f"{settings.url} takes documents")
