"""A server with documents of every index, for the searches of the Kibana objects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from schemas.elasticsearch.indices import (
    INDICES,
    Index,
    document_id,
    index_name,
    search_name,
)
from schemas.elasticsearch.templates import template
from tests.worlds.kibana_documents import lab_documents
from tests.worlds.kibana_objects import SITE

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch


# Every search runs on the real server.


@pytest.fixture(scope="session")
def client(elasticsearch_url: str) -> Iterator[Elasticsearch]:
    """The server with ten days of a small lab in every index."""
    from elasticsearch import Elasticsearch
    from elasticsearch.helpers import bulk

    with Elasticsearch(elasticsearch_url) as client:
        for index in INDICES:
            body = template(index, SITE.prefix)
            body["meta"] = body.pop("_meta")
            client.indices.put_index_template(name=search_name(index, SITE.prefix), **body)
        bulk(client, _actions(), refresh="true")
        yield client


def _actions() -> Iterator[dict[str, Any]]:
    for index, documents in lab_documents().items():
        ids = {document_id(index, document) for document in documents}
        assert len(ids) == len(documents), index.name
        for document in documents:
            unknown = set(_leaves(document, index)) - {field.path for field in index.fields}
            assert not unknown, (index.name, unknown)
            yield {
                "_index": index_name(index, SITE.prefix, document),
                "_id": document_id(index, document),
                "_source": document,
            }


def _leaves(value: Any, index: Index, path: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, index, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        yield from _leaves(value[0], index, path)
    else:
        yield path
