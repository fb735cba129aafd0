"""Templates of the indices: mappings and settings."""

from __future__ import annotations

from typing import Any

from schemas.elasticsearch.indices import Index, index_pattern, search_name

TEMPLATE_VERSION = 3
"""Raise it with every change of a mapping. Publishing then replaces older templates and adds the
new fields to existing indices. A field's type never changes."""

KEYWORD = {"type": "keyword", "ignore_above": 1024}
SENTENCE = {"type": "text", "fields": {"keyword": KEYWORD}}
# A vendor's "address" can be the name of a service. The finding must not be refused for it.
ADDRESS = {"type": "ip", "ignore_malformed": True, "fields": {"text": KEYWORD}}
# Kibana's charts cannot read nested objects, so the finding itself holds these fields, too.
NESTED = {"type": "nested", "include_in_root": True}

TYPES: dict[str, dict[str, Any]] = {
    "keyword": KEYWORD,
    "text": SENTENCE,
    "date": {"type": "date"},
    # A 32-bit float has too few digits for bytes.
    "float": {"type": "double"},
    "integer": {"type": "long"},
    "boolean": {"type": "boolean"},
    "nested": NESTED,
}
"""Type of a :class:`Field` → type in Elasticsearch."""
SPECIAL_TYPES = {"related.ip": ADDRESS}


def template(index: Index, prefix: str) -> dict[str, Any]:
    """The index template.

    Administrators put their own settings (replicas, allocation) into the component template
    ``<prefix>-<name>@custom``. The server reads it if it exists.
    """
    name = search_name(index, prefix)
    return {
        "index_patterns": [index_pattern(index, prefix)],
        "priority": 300,
        "composed_of": [f"{name}@custom"],
        "ignore_missing_component_templates": [f"{name}@custom"],
        "template": {
            "settings": {"number_of_shards": 1, "auto_expand_replicas": "0-1"},
            "mappings": mapping(index),
            "aliases": {name: {}} if index.monthly else {},
        },
        "_meta": {"managed_by": "exfilwatch", "version": TEMPLATE_VERSION},
    }


def mapping(index: Index) -> dict[str, Any]:
    """The mapping of an index's documents.

    A field that is not described stays in the document and is not indexed. A newer exfilwatch can
    therefore write to an index with an older template.
    """
    body: dict[str, Any] = {
        "dynamic": False,
        "date_detection": False,
        "_meta": {"managed_by": "exfilwatch", "version": TEMPLATE_VERSION},
        "properties": {},
    }
    for field in index.fields:
        *parents, name = field.path.split(".")
        properties = body["properties"]
        for parent in parents:
            properties = properties.setdefault(parent, {}).setdefault("properties", {})
        definition = SPECIAL_TYPES.get(field.path, TYPES[field.type])
        properties.setdefault(name, {}).update(definition)
    return body
