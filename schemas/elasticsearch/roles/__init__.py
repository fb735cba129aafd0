"""Roles of Elasticsearch: what each kind of user needs, and no more.

``NAME.json`` beside this module is the body of ``PUT _security/role/exfilwatch-NAME``:

- ``pipeline``: publishes. It creates findings, which it can neither read nor change, and replaces
  what shows how they stand.
- ``upgrade``: ``pipeline``, and may add new fields to indices that exist; for the first run with a
  newer exfilwatch.
- ``investigator``: reads all but identities, and gives verdicts.
- ``analyst``: reads all but identities.
- ``privacy_officer``: reads which identity a pseudonym stands for, and the log of unmaskings.

In Kibana a user needs its own privileges beside these (dashboards: `kibana_user` or a space's
feature privileges).
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
