"""Gives the identity behind a pseudonym, after logging who asked and why."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from jobs.inputs.context import every_directory
from jobs.platform.documents import send
from jobs.platform.elasticsearch import session
from jobs.platform.errors import InputError
from jobs.privacy.identities_file import FILE_NAME, append_lines, read_identities
from models.features.rows import each_row
from models.privacy.pseudonyms import identity_part
from schemas.config import JobConfig
from schemas.elasticsearch.indices import UNMASKINGS

LOG_NAME = "unmaskings.jsonl"
LEAST_REASON = 3


def unmask(config: JobConfig, pseudonym: str, by: str, reason: str) -> str:
    """The identity in one line, with its entry of the latest directory that lists it.

    First the request is appended to ``unmaskings.jsonl`` beside the identities and, if
    Elasticsearch is configured, to ``<prefix>-unmaskings``. Raises RunError if either write fails.
    Raises InputError for a pseudonym that was never published, or an empty ``by`` or ``reason``.
    """
    problems = [] if by.strip() else ["--by: who asks?"]
    if len(reason.strip()) < LEAST_REASON:
        problems.append("--reason: why must the identity be known? (a case, an order)")
    pseudonym = identity_part(pseudonym)
    known = {line["pseudonym"]: line for line in read_identities(config)}
    if pseudonym not in known:
        path = Path(config.privacy.identities) / FILE_NAME
        problems.append(f"{pseudonym}: no such pseudonym in {path}")
    if problems:
        raise InputError(problems)
    _log(config, pseudonym, by.strip(), reason.strip())
    line = known[pseudonym]
    return _described(config, line["identity_kind"], line["identity"])


def _log(config: JobConfig, pseudonym: str, by: str, reason: str) -> None:
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    asked = {"pseudonym": pseudonym, "unmask_by": by, "unmask_reason": reason}
    record = {"@timestamp": now, "exfil": asked}
    append_lines(Path(config.privacy.identities) / LOG_NAME, [record])
    if config.elasticsearch.url is not None:
        loss = "nothing is unmasked, because it could not be logged there"
        with session(config.elasticsearch, "privacy_officer", loss) as client:
            send(client, config.elasticsearch.prefix, UNMASKINGS, [record])


def _described(config: JobConfig, kind: str, identity: str) -> str:
    if kind != "user":
        return f"{identity} ({kind})"
    for people in reversed(every_directory(config.context)):
        for row in each_row(people[people["user_id"] == identity]):
            return ", ".join(text for text in (identity, row.display_name, row.email) if text)
    return identity
