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
WINDOW_DAYS = {"1h": 1, "1d": 1, "7d": 7, "30d": 30, "90d": 90}
"""Windows, the shortest first, and the days they reach into; the hour is one of the day."""
WINDOWS = tuple(WINDOW_DAYS)
HISTORY_DAYS = 90
"""Days that detectors look at, the day scored included."""
POD_ENTRIES = ("exec", "attach", "portforward", "proxy")
"""Subresources of a pod by which one enters it."""
