"""Index templates: where findings lie in Elasticsearch and how their fields are searched.

Findings lie in monthly indices behind one alias. The month is that of the finding's own
``@timestamp``, so a finding's id always leads to the same index and a second write of it can only
meet what is already there. Only features of the server's core are used (no scripts, no data
streams, no lifecycle policies): dropping an old month is deleting its index.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from schemas.finding import FIELDS, Field

TEMPLATE_VERSION = 1
"""Raise it with every change of the mapping; an older template is then replaced, and the fields
that are new are added to the indices that exist. A field's type never changes."""

KEYWORD = {"type": "keyword", "ignore_above": 1024}
SENTENCE = {"type": "text", "fields": {"keyword": KEYWORD}}
# A vendor's "address" can be the name of a service; it must not cost the finding.
ADDRESS = {"type": "ip", "ignore_malformed": True, "fields": {"text": KEYWORD}}
# Kibana's charts cannot look into nested objects, so the fields are indexed on the finding, too.
NESTED = {"type": "nested", "include_in_root": True}

TYPES: dict[str, dict[str, Any]] = {
    "keyword": KEYWORD,
    "text": SENTENCE,
    "date": {"type": "date"},
    # Bytes do not fit the digits of a 32-bit float.
    "float": {"type": "double"},
    "integer": {"type": "long"},
    "boolean": {"type": "boolean"},
    "nested": NESTED,
}
"""Type of a finding's field to its type in Elasticsearch."""
SPECIAL_TYPES = {"related.ip": ADDRESS}
QUEUE_DAY = Field("exfil.day", "date", "day whose queue the finding is in")
"""Published beside the finding's own fields: its evidence may end before that day."""


def findings_alias(prefix: str) -> str:
    """Name under which all findings are searched; also the name of their template."""
    return f"{prefix}-findings"


def findings_index(prefix: str, timestamp: str) -> str:
    """Index of a finding by its ``@timestamp`` (ISO 8601): ``<prefix>-findings-2026.10``."""
    return f"{findings_alias(prefix)}-{datetime.fromisoformat(timestamp):%Y.%m}"


def findings_template(prefix: str) -> dict[str, Any]:
    """The index template of findings.

    An administrator's own settings (replicas, allocation) go into the component template
    ``<prefix>-findings@custom``, which is looked at where it exists.
    """
    alias = findings_alias(prefix)
    return {
        "index_patterns": [f"{alias}-*"],
        "priority": 300,
        "composed_of": [f"{alias}@custom"],
        "ignore_missing_component_templates": [f"{alias}@custom"],
        "template": {
            "settings": {"number_of_shards": 1, "auto_expand_replicas": "0-1"},
            "mappings": findings_mapping(),
            "aliases": {alias: {}},
        },
        "_meta": {"managed_by": "exfilwatch", "version": TEMPLATE_VERSION},
    }


def findings_mapping() -> dict[str, Any]:
    """The mapping of a finding's document.

    A field that is not described is kept in the document and not indexed, so that a newer
    exfilwatch can write where an older template still stands.
    """
    mapping: dict[str, Any] = {
        "dynamic": False,
        "date_detection": False,
        "_meta": {"managed_by": "exfilwatch", "version": TEMPLATE_VERSION},
        "properties": {},
    }
    for field in (*FIELDS, QUEUE_DAY):
        *parents, name = field.path.split(".")
        properties = mapping["properties"]
        for parent in parents:
            properties = properties.setdefault(parent, {}).setdefault("properties", {})
        definition = SPECIAL_TYPES.get(field.path, TYPES[field.type])
        properties.setdefault(name, {}).update(definition)
    return mapping
