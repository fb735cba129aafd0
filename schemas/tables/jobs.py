"""Tables of the stage `aggregate` about jobs: the submissions, and what the jobs' roles read."""

from __future__ import annotations

from schemas.tables.spec import Column, Table
from schemas.tables.values import USER_KINDS

JOB_DAYS = 3
"""Days before the day from which jobs are followed, and days that a job without an end may run."""
TIES = ("own", "address", "account", "name")
"""How a reading is tied to a job, the most certain first.

``own``: the submitter's own identity opened the role's session, which has the job's name or came
from its node. ``address``: it came from the job's node while the job ran. ``account``: a service
account of the namespace read while the pod was there. ``name``: only the session is called like the
job, and whoever opens a session chooses its name.
"""

JOBS = Table(
    name="jobs",
    stage="aggregate",
    grain="day x job or workload x submitter",
    key=("job", "user_id"),
    in_key_order=True,
    columns=(
        Column("day", "date", "day of the submission"),
        Column("job", "string", "resource of the submission: slurm://cluster/account/jobid, "
               "k8s://cluster/namespace/kind/name"),
        Column("user_id", "string", "submitter, as in access"),
        Column("user_kind", "string", "as in access", values=USER_KINDS),
        Column("name", "string", "the name that the submitter gave the job", nullable=True),
        Column("started", "timestamp", "first moment at which it may have run"),
        Column("ended", "timestamp", "end; null: not known", nullable=True),
        Column("addresses", "array<string>", "addresses of the nodes that it ran on, as far as the "
               "name of a node holds its address or the node alone writes from it, sorted"),
    ),
)  # fmt: skip

JOB_ACCESS = Table(
    name="job_access",
    stage="aggregate",
    grain="day x submitter x role x asset x tie",
    key=("user_id", "role", "asset_id", "tie"),
    in_key_order=True,
    columns=(
        Column("day", "date", "day of the reading"),
        Column("user_id", "string", "submitter of the job, as in jobs"),
        Column("user_kind", "string", "as in jobs", values=USER_KINDS),
        Column("role", "string", "who read: a user_id of access; if that is the submitter, the "
               "role of the session, empty if none"),
        Column("asset_id", "string", "as in access; content of it was taken"),
        Column("tie", "string", "how the reading is tied to the job", values=TIES),
        Column("job", "string", "a job that it is tied to, as in jobs"),
        Column("candidates", "int", "fewest submitters to whom a reading is tied as well as to "
               "this one, itself included", minimum=1),
        Column("events", "bigint", "successful readings", minimum=1),
        Column("objects", "bigint", "objects taken; at most the events, at most those of the role "
               "on the day", minimum=0),
        Column("bytes", "bigint", "known bytes of these; null: none known", True, minimum=0),
        Column("first_time", "timestamp", "first of the readings"),
        Column("last_time", "timestamp", "last of the readings"),
        Column("addresses", "array<string>", "addresses of the readings, sorted, at most 50"),
    ),
)  # fmt: skip
