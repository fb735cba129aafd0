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
TAKE_CLASSES = ("clone", "copy", "query", "read", "share")
"""Classes by which content reaches the caller or a place of the caller's choosing."""
CONTENT_CLASSES = (*TAKE_CLASSES, "execute")
"""The same and execution, by which content is reached too; a mere look or listing is less."""
DISTANT_CLASSES = ("assume", "inspect", "list", "other", "sign_in", "write")
"""Classes by which nobody comes near the content of an asset."""
LOOK_CLASSES = ("inspect", "list")
GIVING_CLASSES = ("copy", "share")
ANYBODY_SCHEMES = ("link", "public", "unknown")
"""Schemes in ``destination`` of those that something is opened to and that may be anybody."""
SIGNED_OTHERWISE = ("authheader", "oauth", "accountkey", "anonymous", "trustedaccess", "kerberos",
                    "ntlm", "ntlmv2", "smb", "sharedkey", "none")  # fmt: skip
"""Values of ``details.authentication``, in lower case, that do not put the right into the address
of a request. Other values do, as ``QueryString`` and ``SAS``, or are not known."""
MAX_LISTED = 50
"""Most values in a list of ``access``."""
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
STEP_NAMES = ("collect", "pack", "stage", "send", "clean")
"""Steps by which content leaves, in their order."""
STORES = ("s3://", "gs://", "az://", "minio://")
"""Beginnings of places that content can be written into."""
OUR_ZONES = ("corp", "vpn", "datacenter")
"""Zones in which content is still ours."""
GRANT_DAYS = 30
"""Days before the day in which somebody may have opened what is read on it."""
POD_ENTRIES = ("exec", "attach", "portforward", "proxy")
"""Subresources of a pod by which one enters it."""
CONTAINER_ENTRIES = (*(f"/{entry}" for entry in POD_ENTRIES), "/cp", "ephemeralcontainers")
"""Parts of an action's name that mean content of a running container can be reached."""
ARCHIVE_WORDS = ("zip", "archive", "tarball", "bundle")
"""Parts of an action's name that mean a whole repository in one file."""
REPOSITORY_SCHEMES = ("github://", "gitlab://")
MOST_COMPRESSION = 16.0
"""How many times smaller content may be when it is packed, converted or quantised."""
SLACK = 1.15
"""How far a size may miss what it is compared with: headers, padding, lost records."""
SENSITIVE = 4
"""Sensitivity from which an asset is a sensitive one."""
MANY_PLACES = 3
"""Assets from which on even a mere look at them counts as coming near."""
LEAST_SHARE = 0.05
"""Share of an asset, in objects or bytes, from which its copy makes a place sensitive. A single
object of a checkpoint would else do so for everybody who uses the place."""
