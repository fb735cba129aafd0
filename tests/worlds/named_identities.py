"""A directory whose identities have many names."""

from __future__ import annotations

import pandas as pd

from models.resolve.identity_rules import Identity


def directory(*rows: tuple[str, str, str, str, tuple[str, ...]]) -> pd.DataFrame:
    """Identities of (user_id, kind, employment, email, aliases)."""
    columns = ["user_id", "kind", "employment", "email", "aliases"]
    return pd.DataFrame(list(rows), columns=columns, dtype=object).assign(display_name="Ana Silva")


ARN = "arn:aws:iam::111122223333:user/ana"
SESSIONS = "arn:aws:sts::111122223333:assumed-role/research"
DIRECTORY = directory(
    ("u-ana", "human", "employee", "ana@example.com", ("ana-gh", ARN)),
    ("u-bo", "human", "employee", "bo@example.com", ("bo@corp.example.ai",)),
    ("u-ny", "human", "employee", "ny@example.ai", ()),
    ("u-cy", "human", "contractor", "cy@mail.example", ()),
    ("u-bo2", "human", "vendor", "bo@vendor.example", ()),
    ("s-ci", "service", "", "ci@example.com", ("ci",)),
    ("s-backup", "service", "", "ana@example.com", ()),
)
ANA, CI, EVE = Identity("u-ana", "human"), Identity("s-ci", "service"), Identity("u-eve", "human")
