"""Documents in Elasticsearch: installs their templates, sends them, finds them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jobs.platform.elasticsearch import (
    ADVICE,
    CONFLICT,
    NOT_FOUND,
    arguments,
    installed_versions,
)
from jobs.platform.errors import RunError
from jobs.platform.progress import advance
from schemas.elasticsearch.indices import (
    INDICES,
    Index,
    document_id,
    document_version,
    index_name,
    index_pattern,
    search_name,
)
from schemas.elasticsearch.templates import TEMPLATE_VERSION, template

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch

CHUNK_DOCUMENTS = 500
CHUNK_BYTES = 10 * 1024 * 1024
RETRIES = 4
FIRST_BACKOFF_SECONDS = 1.0
"""Doubles with every retry: 15 seconds in all for a server that is busy (429)."""
SHOWN_FAILURES = 3


@dataclass(frozen=True)
class Sent:
    """Numbers of documents: written now, and kept unchanged in the index."""

    written: int
    kept: int


def install_templates(
    client: Elasticsearch, prefix: str, indices: Iterable[Index] = INDICES
) -> None:
    """Put each template that is older than this version; add new fields to existing indices.

    A newer template stays, because an older exfilwatch beside a newer one must not undo it.
    """
    installed = installed_versions(client, prefix)
    for index in indices:
        name = search_name(index, prefix)
        if installed.get(name, 0) >= TEMPLATE_VERSION:
            continue
        wanted = template(index, prefix)
        # The mapping comes first. If the server forbids it, the next run tries both again.
        pattern = index_pattern(index, prefix)
        if client.indices.exists(index=pattern, allow_no_indices=False):
            properties = wanted["template"]["mappings"]["properties"]
            client.indices.put_mapping(index=pattern, properties=properties)
        client.indices.put_index_template(name=name, create=False, **arguments(wanted))


def send(
    client: Elasticsearch, prefix: str, index: Index, documents: Iterable[dict[str, Any]]
) -> Sent:
    """Write documents in bulk; RunError with the first few reasons if any is refused.

    Every document goes through this function. Searches find a document after at most a second, or
    after :func:`refresh`.
    """
    actions = (_action(prefix, index, document) for document in documents)
    number = len(documents) if isinstance(documents, Sized) else None
    return _bulk(client, actions, index.name, number)


def refresh(client: Elasticsearch, prefix: str, index: Index) -> None:
    """Let searches find all documents sent so far."""
    client.indices.refresh(index=index_pattern(index, prefix), ignore_unavailable=True)


def send_day(
    client: Elasticsearch,
    prefix: str,
    index: Index,
    documents: list[dict[str, Any]],
    earlier: dict[str, Any],
) -> Sent:
    """Send documents, then remove all others that the query ``earlier`` finds in the same index.

    Removal comes last, so the old or the new document exists at every moment. The next run removes
    the documents that a killed run left.
    """
    sent = send(client, prefix, index, documents)
    kept = {document_id(index, document) for document in documents}
    name = index_pattern(index, prefix)
    refresh(client, prefix, index)
    gone = (hit for hit in find(client, name, earlier, source=False) if hit["_id"] not in kept)
    removals = [{"_op_type": "delete", "_index": hit["_index"], "_id": hit["_id"]} for hit in gone]
    if removals:
        _bulk(client, removals, index.name, len(removals))
        refresh(client, prefix, index)
    return sent


def find(
    client: Elasticsearch,
    name: str,
    query: dict[str, Any],
    source: bool = True,
    fields: Iterable[str] = (),
) -> Iterator[dict[str, Any]]:
    """Every hit of a query, in no order; none if there is no such index."""
    from elasticsearch.helpers import scan

    body: dict[str, Any] = {"query": query, "_source": source}
    if fields:
        body["fields"] = list(fields)
    yield from scan(client, query=body, index=name, ignore_unavailable=True, size=1000)


def _action(prefix: str, index: Index, document: dict[str, Any]) -> dict[str, Any]:
    action: dict[str, Any] = {
        "_op_type": "create" if index.write == "created" else "index",
        "_index": index_name(index, prefix, document),
        "_id": document_id(index, document),
        "_source": document,
    }
    if index.write == "older":
        action |= {"version": document_version(index, document), "version_type": "external_gte"}
    return action


def _bulk(
    client: Elasticsearch, actions: Iterable[dict[str, Any]], what: str, number: int | None
) -> Sent:
    from elasticsearch.helpers import streaming_bulk

    written = kept = 0
    refused: list[dict[str, Any]] = []
    for accepted, answer in streaming_bulk(
        client,
        actions,
        chunk_size=CHUNK_DOCUMENTS,
        max_chunk_bytes=CHUNK_BYTES,
        raise_on_error=False,
        max_retries=RETRIES,
        initial_backoff=FIRST_BACKOFF_SECONDS,
    ):
        advance(f"documents ({what})", 1, number)
        operation, item = next(iter(answer.items()))
        if accepted:
            written += 1
        elif item["status"] == CONFLICT or (operation == "delete" and item["status"] == NOT_FOUND):
            kept += 1
        else:
            refused.append(item)
    if refused:
        raise RunError(_describe_refusals(refused, written + kept, what))
    return Sent(written, kept)


def _describe_refusals(refused: list[dict[str, Any]], others: int, what: str) -> str:
    lines = [
        f"Elasticsearch refused {len(refused)} of {len(refused) + others} documents ({what}); "
        "the tables keep everything, and publishing the day again sends the missing ones"
    ]
    for item in refused[:SHOWN_FAILURES]:
        error = item["error"]
        cause = (error.get("caused_by") or {}).get("reason")
        reason = f"{error['reason']}: {cause}" if cause else error["reason"]
        lines.append(f"  {item['_index']}/{item['_id']}: {reason} ({item['status']})")
    if len(refused) > SHOWN_FAILURES:
        lines.append(f"  … and {len(refused) - SHOWN_FAILURES} more")
    kinds = sorted({item["error"]["type"] for item in refused} & set(ADVICE))
    lines += [f"  {ADVICE[kind]}, then publish again" for kind in kinds]
    return "\n".join(lines)
