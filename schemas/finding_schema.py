"""The JSON Schema of a published finding: ``python -m schemas.finding_schema`` writes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from schemas.finding import PublishedFinding

PATH = Path(__file__).with_name("finding.schema.json")


def finding_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a line of findings.ndjson."""
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return dialect | PublishedFinding.model_json_schema()


if __name__ == "__main__":
    PATH.write_text(json.dumps(finding_schema(), indent=2, ensure_ascii=False) + "\n", "utf-8")
