"""Kibana objects as code: data views, Discover sessions, dashboards, and the detection rule.

:func:`saved_objects` makes all objects for the import of saved objects in Kibana 8.19 and 9.x.
``exfilwatch.ndjson`` beside this module is the result for the default prefix. Every licence has all
features used here. Every field named here is a field of ``schemas.elasticsearch.indices``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from schemas.kibana.dashboards import dashboards
from schemas.kibana.data_views import data_views
from schemas.kibana.sessions import sessions
from schemas.kibana.site import Runbook, Site


def saved_objects(site: Site, runbooks: Mapping[str, Runbook]) -> list[dict[str, Any]]:
    """Every object, referenced ones first. ``runbooks``: by detector, in the order shown."""
    tag = {
        "type": "tag",
        "id": site.id("tag"),
        "attributes": {
            "name": site.prefix,
            "description": "Insider risk: made by exfilwatch, replaced when it is installed again",
            "color": "#c2500e",
        },
        "references": [],
        "coreMigrationVersion": "8.8.0",
        "typeMigrationVersion": "8.0.0",
    }
    return [tag, *data_views(site), *sessions(site), *dashboards(site, runbooks)]


def as_ndjson(objects: Iterable[Mapping[str, Any]]) -> str:
    """One object a line, keys sorted: the same objects give the same bytes."""
    return "".join(
        json.dumps(item, ensure_ascii=False, sort_keys=True, separators=(",", ":")) + "\n"
        for item in objects
    )
