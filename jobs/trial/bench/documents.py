"""Measures documents per second: ``python -m jobs.trial.bench.documents --url …``.

Identity-days are the most frequent documents. The same bulk requests as in a publishing run send
them to new indices, which are removed at the end. Then all are sent again, as after a killed run.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from jobs.platform.documents import install_templates, refresh, send
from jobs.platform.elasticsearch import session
from jobs.platform.errors import RunError
from schemas.config import Elasticsearch as Settings
from schemas.elasticsearch.indices import ENTITY_DAYS, INDICES, index_pattern, search_name

PREFIX = "exfilwatch-bench"
PEOPLE = 1000
FIRST_DAY = date(2026, 1, 1)


def main(argv: list[str] | None = None) -> int:
    """Send the documents two times and print the seconds; 1 if the server refuses any."""
    arguments = _parser().parse_args(argv)
    settings = Settings(
        url=arguments.url,
        api_key_env="EXFILWATCH_ES_API_KEY",
        password_env="EXFILWATCH_ES_PASSWORD",  # noqa: S106  a name
        username=arguments.username,
        ca_certs=arguments.ca_certs,
        prefix=PREFIX,
    )
    try:
        send_twice(settings, arguments.documents)
    except RunError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def send_twice(settings: Settings, count: int) -> None:
    """Send ``count`` documents to empty indices and again; RunError if one is refused."""
    with session(settings, "pipeline", "nothing was measured") as client:
        try:
            install_templates(client, settings.prefix)
            for what in ("new", "again"):
                began = time.monotonic()
                sent = send(client, settings.prefix, ENTITY_DAYS, identity_days(count))
                refresh(client, settings.prefix, ENTITY_DAYS)
                seconds = time.monotonic() - began
                print(f"{what:6}{sent.written:>9,} documents in {seconds:6.1f} s", flush=True)
        finally:
            tolerant = client.options(ignore_status=404)
            for name in client.indices.get(index=index_pattern(ENTITY_DAYS, settings.prefix)):
                tolerant.indices.delete(index=name)
            names = [search_name(index, settings.prefix) for index in INDICES]
            tolerant.indices.delete_index_template(name=names)


def identity_days(count: int) -> Iterator[dict[str, Any]]:
    """Documents of ENTITY_DAYS: PEOPLE identities a day, on as many days as needed."""
    for number in range(count):
        day = (FIRST_DAY + timedelta(days=number // PEOPLE)).isoformat()
        person = number % PEOPLE
        yield {
            "@timestamp": f"{day}T23:59:59Z",
            "user": {
                "id": f"u{person:04d}",
                "name": f"Person {person}",
                "risk": {"calculated_score_norm": person % 50 / 2},
            },
            "exfil": {
                "day": day,
                "team": f"team-{person % 12}",
                "bytes": person * 1_000_003,
                "objects": person % 97,
                "events": person % 389,
                "assets": person % 13,
                "new_assets": person % 3,
                "findings": int(person % 50 == 0),
                "peer_bytes_median": person * 900_001.5,
                "peer_bytes_p90": person * 2_000_003.5,
                "peer_objects_median": person % 89 / 2,
                "peer_objects_p90": person % 97 * 1.5,
            },
        }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m jobs.trial.bench.documents",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example:\n  make elastic   # in another shell; it prints the address\n"
        "  python -m jobs.trial.bench.documents --url http://127.0.0.1:9200",
    )
    parser.add_argument("--url", required=True, help="address of Elasticsearch")
    parser.add_argument("--username", help="user; the password from EXFILWATCH_ES_PASSWORD")
    parser.add_argument("--ca-certs", help="PEM file of the certificate authority")
    parser.add_argument("--documents", type=int, default=100_000)
    return parser


if __name__ == "__main__":
    sys.exit(main())
