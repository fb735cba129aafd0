"""Closed sets of values that columns hold."""

from __future__ import annotations

ACTION_CLASSES = (
    "read",
    "list",
    "inspect",
    "write",
    "delete",
    "copy",
    "share",
    "clone",
    "execute",
    "sign_in",
    "assume",
    "submit",
    "query",
    "admin",
    "other",
)
USER_KINDS = ("human", "service", "unknown")
OUTCOMES = ("success", "failure", "unknown")
IDENTITY_DETAILS = ("identity_rule", "identity_name", "identity_candidates")
"""Keys of ``details`` that ``ingest`` writes if the user_id is not certain: the rule that matched
and the logged name, or the candidates (user_ids, `;` between them) of which none was picked.
"""
ZONES = ("corp", "vpn", "datacenter", "cloud", "external")
WINDOWS = ("1h", "1d", "7d", "30d", "90d")
URI_SCHEMES = ("s3", "gs", "az", "minio", "github", "gitlab", "k8s", "slurm", "host", "model")
"""Schemes the vendors' formats produce; a ``mapped`` source may bring others (``file://…``)."""
