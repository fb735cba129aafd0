"""Other spellings of a URI: the same object under a name that no pattern of assets.csv fits."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from urllib.parse import unquote

import pandas as pd

from models.resolve.assets import WILDCARD, AssetMatch, asset_finder
from schemas.tables.values import REPOSITORY_SCHEMES

Finder = Callable[[str], AssetMatch | None]
ACCESS_POINT = re.compile(
    r"(?:https?|s3[an]?)://(?:arn:[^/]*:(?:outpost/[^/]+/)?accesspoint/[^/]+"
    r"|[^/]*(?:-s3alias|--o[lp]-s3|[.]mrap)"
    r"|[^/]*[.](?:s3-accesspoint|s3-object-lambda|accesspoint)[.-][^/]*amazonaws[.]com(?:[.]cn)?)"
    r"[.]*/+(?:object/)?",
    re.IGNORECASE,
)
"""A name of an access point in place of a bucket, up to the key."""
FORMS = tuple(
    (re.compile(pattern, re.IGNORECASE), uri)
    for pattern, uri in (
        # Hosts of S3 before the path, or the bucket as the first step of the path
        (r"(?:https?|s3[an]?)://s3[.-][a-z0-9.-]*amazonaws[.]com(?:[.]cn)?(?::\d+)?/+", "s3://"),
        (
            r"(?:https?|s3[an]?)://([^/]+?)(?:[.]bucket[.]vpce-[^./]+)?"
            r"[.]s3[.-][a-z0-9.-]*amazonaws[.]com(?:[.]cn)?[.]*(?::\d+)?(?=/|$)",
            r"s3://\1",
        ),
        (r"s3[an]://", "s3://"),
        # The APIs of Cloud Storage
        (
            r"(?:https?|gs)://(?:storage|www)[.]googleapis[.]com/(?:upload/|download/)?"
            r"storage/v1/b/([^/]+)/o/",
            r"gs://\1/",
        ),
        (r"(?:https?|gs)://storage[.](?:mtls[.])?(?:googleapis|cloud[.]google)[.]com/+", "gs://"),
        (r"(?:https?|gs)://([^/]+)[.]storage[.]googleapis[.]com(?=/|$)", r"gs://\1"),
        # The endpoints of Azure Storage
        (
            r"(?:https?|az)://([a-z0-9]+)(?:-secondary)?[.](?:z\d+[.])?(?:blob|dfs|web)"
            r"[.](?:core|storage[.]azure)[.](?:windows[.])?net(?::\d+)?(?=/|$)",
            r"az://\1",
        ),
        (r"(?:abfss?|wasbs?)://([^@/]+)@([a-z0-9]+)[.][^/]*", r"az://\2/\1"),
        # Git by HTTPS and SSH
        (
            r"(?:(?:https?|ssh|git|git[+]ssh)://)?(?:[^@/:]+(?::[^@/]*)?@)?(?:www[.])?"
            r"(github|gitlab)[.][a-z0-9.-]+(?::\d+/|[:/])/*",
            r"\1://",
        ),
    )
)
"""Beginnings of addresses → beginnings of URIs, as logs of the vendor have them."""
MOST_DECODINGS = 3
"""How often a path may be percent-encoded, one encoding within the other."""


def any_spelling_finder(
    find: Finder, assets: pd.DataFrame, nested: str = "most_sensitive"
) -> Finder:
    """``find``, which tries another spelling of a URI before the URI itself.

    It is :func:`plain`, and for an access point's name the key in every bucket of a pattern that
    names more than a bucket. Of several assets the one in the first bucket by name is taken. The
    URI itself comes last, for a pattern of all of a bucket fits every spelling.
    ``nested``: how to choose among nested patterns, see :func:`asset_finder`.
    """
    buckets = _buckets(assets["pattern"])
    find_plain = asset_finder(
        assets.assign(pattern=[plain(str(pattern)) for pattern in assets["pattern"]]), nested
    )

    def find_any(uri: str) -> AssetMatch | None:
        address = canonical(uri)
        point = ACCESS_POINT.match(uri) or ACCESS_POINT.match(address)
        starts = [f"s3://{bucket}/" for bucket in buckets] if point else [""]
        for start in starts:
            whole = start + plain_path(point.string[point.end() :]) if point else plain(address)
            match = (find(uri) if whole == uri else None) or find_plain(whole)
            if match and (not point or match.prefix_chars > len(start)):
                return AssetMatch(match.asset_id, _before(uri, whole[match.prefix_chars :]))
        return find(uri)

    return find_any


def canonical(uri: str) -> str:
    """An address of FORMS as a URI, without the query of a web address; other texts as they are."""
    address = uri.partition("?")[0] if uri.lower().startswith("http") else uri
    for pattern, start in FORMS:
        if found := pattern.match(address):
            path = address[found.end() :]
            return found.expand(start) + path
    return address


def plain(uri: str) -> str:
    """A URI with a lower-case host without dots at its end, and a plain path.

    Letters of a repository's name have no case, and ``.git`` at its end no meaning. Texts that are
    no URI stay as they are.
    """
    scheme, mark, rest = canonical(uri).partition("://")
    if not mark:
        return uri
    scheme = scheme.lower()
    host, slash, path = rest.partition("/")
    host, path = host.lower().rstrip("."), plain_path(path)
    if f"{scheme}://" in REPOSITORY_SCHEMES:
        path = re.sub("[.]git(?=/|$)", "", path.lower()).rstrip("/")
    return f"{scheme}://{host}{slash}{path}"


def plain_path(path: str) -> str:
    """A path, wholly percent-decoded, without empty steps and dots as steps, composed (NFC).

    A slash at its end stays.
    """
    for _ in range(MOST_DECODINGS):
        path = unquote(path)
    steps: list[str] = []
    for step in path.split("/"):
        if step == "..":
            steps = steps[:-1]
        elif step not in ("", "."):
            steps.append(step)
    end = "/" if steps and re.search("(^|/)[.]{0,2}$", path) else ""
    return unicodedata.normalize("NFC", "/".join(steps)) + end


def _before(uri: str, below: str) -> int:
    """Characters of ``uri`` before the steps ``below`` of a plain path, which are its end.

    Where no slash of the URI stands before them, those before its last step.
    """
    if not below:
        return len(uri)
    ends = [place + 1 for place, char in enumerate(uri) if char == "/"]
    fitting = (end for end in reversed(ends) if plain_path(uri[end:]) == below)
    return next(fitting, ends[-1] if ends else 0)


def _buckets(patterns: Iterable[str]) -> list[str]:
    """Buckets of S3 that patterns name without a wildcard, sorted."""
    named = (str(pattern).partition("s3://")[2].split("/")[0] for pattern in patterns)
    return sorted({bucket for bucket in named if bucket and not WILDCARD.search(bucket)})
