"""People whose names are masked, and the key of their pseudonyms."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pandas as pd

from models.privacy.names import known_people
from models.privacy.pseudonyms import Pseudonyms, pseudonym, spelled_pseudonym
from schemas.context import DIRECTORY_COLUMNS

KEY = b"a key for tests, of 32 bytes and more"
KEY_VARIABLE = "EXFILWATCH_PSEUDONYM_KEY"


def people(**changes: Any) -> pd.DataFrame:
    """A directory of three: two humans, and a service with its owner's address."""
    zara = dict.fromkeys(DIRECTORY_COLUMNS, "") | {
        "user_id": "u1",
        "email": "zara.quillfeather@lab.example",
        "display_name": "Zara Quillfeather",
        "kind": "human",
        "aliases": ("zquill", "arn:aws:iam::111122223333:user/zara.q", "7001"),
    }
    max_ = zara | {
        "user_id": "u2",
        "email": "max.read@lab.example",
        "display_name": "Max Ströhmeyer-Read",
        "aliases": ("read",),
        "manager_id": "u1",
    }
    service = zara | {
        "user_id": "svc-7",
        "kind": "service",
        "display_name": "Nightly data loader",
        "aliases": ("system:serviceaccount:jobs:default",),
    }
    return pd.DataFrame([zara | changes, max_, service])


def known(key: bytes = KEY, **options: Any) -> Pseudonyms:
    return known_people(key, [people()], ["mallory/guest"], ["AKIAEXAMPLE0000000"], **options)


def of(value: str, kind: str = "user") -> str:
    return pseudonym(KEY, value, kind)


def as_(written: str, value: str = "u1", kind: str = "user") -> str:
    return spelled_pseudonym(KEY, (kind, value), written)


def write_directory(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, DIRECTORY_COLUMNS)
        writer.writeheader()
        writer.writerows(row | {"aliases": ";".join(row["aliases"])} for row in rows)
