"""Roles of Elasticsearch, each with the fewest privileges that its users need.

``NAME.json`` beside this module is the body of ``PUT _security/role/exfilwatch-NAME``:

- ``pipeline``: publishes. It creates findings and can neither read nor change them. It replaces the
  documents about their state in review.
- ``upgrade``: the same as ``pipeline``, and it may add new fields to existing indices. The first
  run of a newer exfilwatch needs it.
- ``investigator``: reads everything except identities, and gives verdicts.
- ``analyst``: reads everything except identities.
- ``privacy_officer``: reads the identities behind pseudonyms, and the log of unmaskings.

A user of Kibana also needs Kibana's own privileges (for dashboards `kibana_user` or the feature
privileges of a space).
"""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

ROLES = ("pipeline", "upgrade", "investigator", "analyst", "privacy_officer")
_SHIPPED_PREFIX = "exfilwatch-"


def role(name: str, prefix: str) -> dict[str, Any]:
    """A role for the indices of ``prefix``."""
    text = resources.files(__package__).joinpath(f"{name}.json").read_text(encoding="utf-8")
    definition: dict[str, Any] = json.loads(text)
    for grant in definition["indices"]:
        grant["names"] = [
            f"{prefix}-{index.removeprefix(_SHIPPED_PREFIX)}"
            if index.startswith(_SHIPPED_PREFIX)
            else index
            for index in grant["names"]
        ]
    return definition
