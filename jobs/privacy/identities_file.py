"""The file that holds the identity behind each pseudonym, and the keys of pseudonyms."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jobs.platform.errors import InputError, RunError
from schemas.config import JobConfig

FILE_NAME = "identities.jsonl"
LEAST_KEY_BYTES = 32
OWNER_ONLY = 0o600


def pseudonym_key(config: JobConfig) -> bytes:
    """The environment's key. Raises InputError if it is missing or too short."""
    name = config.privacy.key_env
    key = os.environ.get(name, "").encode()
    if len(key) < LEAST_KEY_BYTES:
        found = f"it has {len(key)}" if key else "it is not set"
        raise InputError(
            [
                f"privacy.pseudonymize is on: the environment variable {name} must hold a secret "
                f"key of at least {LEAST_KEY_BYTES} bytes ({found}); make one with "
                "`openssl rand -base64 48` and keep it: another key gives other pseudonyms"
            ]
        )
    return key


def prompt_key(config: JobConfig) -> str:
    """Key of the fingerprints of prompts, in hexadecimal digits; empty if pseudonyms are off.

    It is derived, because queries that hold it may be logged: nobody gets the key of pseudonyms
    from it.
    """
    if not config.privacy.pseudonymize:
        return ""
    return hmac.new(pseudonym_key(config), b"fingerprints of prompts", hashlib.sha256).hexdigest()


def read_identities(config: JobConfig) -> list[dict[str, str]]:
    """Every pseudonym published so far, with its ``identity`` and ``identity_kind``."""
    path = Path(config.privacy.identities) / FILE_NAME
    if not path.exists():
        return []
    lines = []
    with path.open(encoding="utf-8", errors="surrogatepass") as file:
        for text in file:
            try:
                lines.append(json.loads(text))
            except ValueError:
                # A killed run left half a line; the next run wrote the whole line.
                continue
    return lines


def append_lines(path: Path, lines: Sequence[dict[str, Any]]) -> None:
    """Append JSON lines to a file that only its owner may read.

    Raises RunError if the file cannot be written or others may read it.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, OWNER_ONLY)
        try:
            status = os.fstat(file)
            if status.st_mode & 0o077:
                raise RunError(f"{path} may be read by others; make it private: chmod 600 {path}")
            text = "".join(json.dumps(line, sort_keys=True) + "\n" for line in lines)
            if status.st_size and os.pread(file, 1, status.st_size - 1) != b"\n":
                text = "\n" + text
            rest = memoryview(text.encode())
            while rest:
                rest = rest[os.write(file, rest) :]
            os.fsync(file)
        finally:
            os.close(file)
    except OSError as error:
        raise RunError(f"{path} cannot be written: {error.strerror or error}") from error
