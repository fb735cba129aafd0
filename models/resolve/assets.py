"""Which listed asset a URI belongs to."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from models.features.rows import each_row

WILDCARD = re.compile(r"[*?\[]")
CHARACTER_CLASS = re.compile(r"\[(?P<negated>!?)(?P<members>\]?[^\]]*)\]")
REGEX_SIGNS = re.compile(r"[\\.+*?()|\[\]{}^$#&~-]")
FOLDER_SCHEMES = ("s3", "gs", "az", "minio", "k8s", "slurm", "file")
"""URIs of these schemes end in an object's name; assets match the part before it."""
Rank = tuple[int, int]
"""Sensitivity and length of a pattern; the highest wins."""


@dataclass(frozen=True)
class AssetMatch:
    """The asset a URI belongs to, and how many characters of the URI lead up to the object."""

    asset_id: str
    prefix_chars: int


def asset_finder(
    assets: pd.DataFrame, nested: str = "most_sensitive"
) -> Callable[[str], AssetMatch | None]:
    """A function from a URI (or folder, ending in `/`) to its asset.

    A pattern names the URIs that it matches as a glob (`*` crosses `/`) and everything below
    them. Of several patterns the asset of the highest sensitivity is the answer (an unknown one is
    the lowest), then that of the longest pattern; with ``nested="longest"`` the longest alone
    decides. Of equally long patterns a literal one goes before a glob, then the first asset_id.
    Literal patterns are found by walking up the URI; only patterns with a wildcard before their
    end are tried one by one.
    """
    itself: dict[str, tuple[Rank, AssetMatch]] = {}
    below: dict[str, tuple[Rank, AssetMatch]] = {}
    globs: list[tuple[Rank, re.Pattern[str], AssetMatch]] = []
    by_sensitivity = nested == "most_sensitive" and "sensitivity" in assets
    for row in each_row(assets.sort_values("asset_id")):
        rank = (_sensitivity(row) if by_sensitivity else 0, len(row.pattern))
        stem = row.pattern.removesuffix("/*")
        if WILDCARD.search(stem):
            literal = WILDCARD.split(row.pattern, maxsplit=1)[0]
            match = AssetMatch(row.asset_id, literal.rfind("/") + 1)
            globs.append((rank, _glob_regex(row.pattern), match))
            continue
        match = AssetMatch(row.asset_id, len(stem) + 1)
        nothing = ((-1, 0), match)
        if rank > below.get(stem, nothing)[0]:
            below[stem] = (rank, match)
        if stem == row.pattern and rank > itself.get(stem, nothing)[0]:
            itself[stem] = (rank, match)
    globs.sort(key=lambda entry: (-entry[0][0], -entry[0][1], entry[2].asset_id))

    def find(uri: str) -> AssetMatch | None:
        rank, best = itself.get(uri, ((-1, 0), None))
        stem = uri
        while "/" in stem:
            stem = stem.rpartition("/")[0]
            above = below.get(stem)
            if above and above[0] > rank:
                rank, best = above
        for glob_rank, pattern, match in globs:
            if glob_rank <= rank:
                break
            if pattern.match(uri):
                return match
        return best

    return find


def concealing_patterns(assets: pd.DataFrame) -> list[str]:
    """Warnings about patterns inside or equal to a pattern of a more sensitive asset, sorted.

    If the longest pattern decided alone, objects of the more sensitive asset would belong to the
    less sensitive one.
    """
    rows = sorted(each_row(assets), key=lambda row: (row.asset_id, row.pattern))
    literal: dict[str, list[Any]] = {}
    globs = []
    for row in rows:
        stem = row.pattern.removesuffix("/*")
        if WILDCARD.search(stem):
            globs.append((_glob_regex(row.pattern), row))
        else:
            literal.setdefault(stem, []).append(row)
    problems = []
    for row in rows:
        stem = row.pattern.removesuffix("/*")
        around = []
        while stem:
            around += literal.get(stem, [])
            stem = stem.rpartition("/")[0]
        around += [outer for regex, outer in globs if regex.match(row.pattern)]
        higher = [outer for outer in around if _sensitivity(outer) > _sensitivity(row)]
        if higher:
            outer = max(higher, key=_sensitivity)
            problems.append(
                f"{row.asset_id} ({row.pattern}, sensitivity {_sensitivity(row) or 'unknown'}) is "
                f"within {outer.asset_id} ({outer.pattern}, sensitivity {_sensitivity(outer)})"
            )
    return problems


def _sensitivity(row: Any) -> int:
    """1 to 5; 0 where it is not known."""
    return 0 if pd.isna(row.sensitivity) else int(row.sensitivity)


def _glob_regex(pattern: str) -> re.Pattern[str]:
    """What a pattern with a wildcard before its end names."""
    stem = pattern.removesuffix("/*")
    body = fnmatch.translate(stem).removesuffix(r"\z").removesuffix(r"\Z")
    rest = "(/.*)?" if stem == pattern else "/.*"
    return re.compile(rf"{body}{rest}\Z", re.DOTALL)


def needs_whole_uri(assets: pd.DataFrame) -> tuple[list[str], str]:
    """What patterns a folder alone cannot decide: exact URIs, and one regular expression.

    The expression is empty if there is no such pattern.
    """
    exact, odd = [], []
    for pattern in sorted(set(assets["pattern"])):
        if pattern.endswith("/*"):
            continue
        if WILDCARD.search(pattern):
            odd.append(_portable_regex(pattern))
        elif pattern.split("://", 1)[0] in FOLDER_SCHEMES:
            exact.append(pattern)
    return exact, rf"(?s)^({'|'.join(odd)})\z" if odd else ""


def _portable_regex(pattern: str) -> str:
    """A glob as a regular expression that Java's and Rust's engines read alike."""
    out = []
    place = 0
    while place < len(pattern):
        char = pattern[place]
        if char == "[" and (members := CHARACTER_CLASS.match(pattern, place)):
            inner = re.sub(r"([\\\[\]^&~])", r"\\\1", members["members"])
            out.append(f"[{'^' if members['negated'] else ''}{inner}]")
            place = members.end()
            continue
        out.append({"*": ".*", "?": "."}.get(char) or REGEX_SIGNS.sub(r"\\\g<0>", char))
        place += 1
    return "".join(out)
