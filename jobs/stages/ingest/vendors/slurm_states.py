"""States of Slurm jobs."""

from __future__ import annotations

# Long and short names of every state that Slurm documents, by the job's outcome.
STATES = {
    "success": {"COMPLETED": "CD"},
    "failure": {
        "BOOT_FAIL": "BF",
        "CANCELLED": "CA",
        "DEADLINE": "DL",
        "FAILED": "F",
        "LAUNCH_FAILED": "",
        "NODE_FAIL": "NF",
        "OUT_OF_MEMORY": "OOM",
        "PREEMPTED": "PR",
        "RECONFIG_FAIL": "",
        "TIMEOUT": "TO",
    },
    # The job waits, runs, runs again or runs elsewhere.
    "unknown": {
        "COMPLETING": "CG",
        "CONFIGURING": "CF",
        "PENDING": "PD",
        "POWER_UP_NODE": "",
        "REQUEUED": "RQ",
        "REQUEUE_FED": "RF",
        "REQUEUE_HOLD": "RH",
        "RESIZING": "RS",
        "RESV_DEL_HOLD": "RD",
        "REVOKED": "RV",
        "RUNNING": "R",
        "SIGNALING": "SI",
        "SPECIAL_EXIT": "SE",
        "STAGE_OUT": "SO",
        "STOPPED": "ST",
        "SUSPENDED": "S",
    },
}
SHORT = " ".join(
    f"when '{short}' then '{state}'"
    for each in STATES.values()
    for state, short in each.items()
    if short
)
