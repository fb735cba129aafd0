"""Hashes of everything but the tables that the rows of a day rest on: config, context and code."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from jobs.inputs.context import files_in_force
from schemas.config import JobConfig

PLACES = {"context", "storage", "engine", "output", "elasticsearch", "privacy"}
"""Keys that say where a job runs and to whom it shows names. Rows are the same for all of them."""
SOURCES = ("schemas", "models", "jobs/inputs", "jobs/platform", "jobs/stages")
"""Folders of the code that makes rows."""
HASH_CHARS = 16


def config_hash(config: JobConfig) -> str:
    """Hash of the settings in force, defaults included. A config holds no secret but in PLACES."""
    return hash_of(config.model_dump(mode="json", exclude=PLACES))


def context_hash(folder: str, day: date) -> str:
    """Hash of the context files in force on ``day``."""
    return hash_of(file_hashes(folder, day))


def file_hashes(folder: str, day: date) -> dict[str, str]:
    """Kind of context file → hash of the file in force on ``day``; no entry if there is none."""
    hashes = {}
    for kind, path in files_in_force(Path(folder), day).items():
        if path is not None:
            stat = path.stat()
            hashes[kind] = _file_hash(path, stat.st_mtime_ns, stat.st_size)
    return hashes


@lru_cache(maxsize=1)
def code_hash() -> str:
    """The version, and a hash of the sources that make rows."""
    root = Path(__file__).parents[2]
    found = hashlib.sha256()
    for folder in SOURCES:
        for path in sorted((root / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                found.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes())
    try:
        number = version("exfilwatch")
    except PackageNotFoundError:
        number = "0"
    return f"{number}+{found.hexdigest()[:HASH_CHARS]}"


def hash_of(values: Mapping[str, object]) -> str:
    """Hash of a JSON object; the order of its keys does not count."""
    text = json.dumps(values, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_CHARS]


@lru_cache(maxsize=64)
def _file_hash(path: Path, mtime_ns: int, size: int) -> str:
    """Hash of a file. The time and size are part of the key of the cache."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
