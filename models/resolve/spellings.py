"""Other spellings of a URI: the same object under a name that no pattern of assets.csv fits."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from urllib.parse import unquote

import pandas as pd

from models.resolve.assets import WILDCARD, AssetMatch

Finder = Callable[[str], AssetMatch | None]
ACCESS_POINT = re.compile(
    r"s3://(?:arn:[^/]*:accesspoint/[^/]+|[^/]*(?:-s3alias|--o[lp]-s3|[.]mrap))/(?:object/)?"
)
"""A name of an access point in place of a bucket, up to the key."""
S3_HOST = re.compile(r"(?P<bucket>.+?)[.]s3[.-][a-z0-9.-]*amazonaws[.]com(?:[.]cn)?")


def any_spelling_finder(find: Finder, assets: pd.DataFrame) -> Finder:
    """``find``, which tries other spellings of a URI that it does not know.

    These are :func:`plain`, and for an access point's name the key in every bucket of a pattern
    that names more than a bucket. Of several assets the one in the first bucket by name is taken.
    """
    buckets = _buckets(assets["pattern"])

    def find_any(uri: str) -> AssetMatch | None:
        if match := find(uri):
            return match
        point = ACCESS_POINT.match(uri)
        if point is None:
            other = plain(uri)
            match = find(other) if other != uri else None
            return match and AssetMatch(match.asset_id, _prefix(uri, match.prefix_chars))
        for bucket in buckets:
            start = f"s3://{bucket}/"
            match = find(start + plain_path(uri[point.end() :]))
            if match and match.prefix_chars > len(start):
                return AssetMatch(match.asset_id, match.prefix_chars + point.end() - len(start))
        return None

    return find_any


def plain(uri: str) -> str:
    """A URI with a lower-case host without dots at its end, decoded once, with single slashes.

    A host name of S3 becomes the bucket's name. Texts that are no URI stay as they are.
    """
    scheme, mark, rest = uri.partition("://")
    if not mark:
        return uri
    host, slash, path = rest.partition("/")
    host = host.lower().rstrip(".")
    if host_name := S3_HOST.fullmatch(host):
        host = host_name["bucket"]
    return f"{scheme.lower()}://{host}{slash}{plain_path(path)}"


def plain_path(path: str) -> str:
    """A path, percent-decoded once, with single slashes and none at its beginning."""
    return re.sub("/+", "/", unquote(path)).lstrip("/")


def _prefix(uri: str, chars: int) -> int:
    """Characters of ``uri`` whose plain spelling is the first ``chars`` characters of its own."""
    ends = (place + 1 for place, char in enumerate(uri) if char == "/")
    return next((end for end in ends if len(plain(uri[:end])) >= chars), len(uri))


def _buckets(patterns: Iterable[str]) -> list[str]:
    """Buckets of S3 that patterns name without a wildcard, sorted."""
    named = (str(pattern).partition("s3://")[2].split("/")[0] for pattern in patterns)
    return sorted({bucket for bucket in named if bucket and not WILDCARD.search(bucket)})
