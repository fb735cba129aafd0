"""The log formats, each a module ``NAME.py`` with ``LOG_FORMAT``.

:mod:`jobs.stages.ingest.formats.log_format` has the parts of a format.
"""

from __future__ import annotations

from jobs.stages.ingest.formats import (
    aws_cloudtrail,
    aws_s3_access,
    azure_storage,
    gcp_audit,
    github_audit,
    gitlab_audit,
    kubernetes_audit,
    litellm_gateway,
    mapped,
    minio_audit,
    slurm_sacct,
    sshd,
)
from jobs.stages.ingest.formats.log_format import LogFormat

LOG_FORMATS: dict[str, LogFormat] = {
    "aws_cloudtrail": aws_cloudtrail.LOG_FORMAT,
    "aws_s3_access": aws_s3_access.LOG_FORMAT,
    "azure_storage": azure_storage.LOG_FORMAT,
    "gcp_audit": gcp_audit.LOG_FORMAT,
    "github_audit": github_audit.LOG_FORMAT,
    "gitlab_audit": gitlab_audit.LOG_FORMAT,
    "kubernetes_audit": kubernetes_audit.LOG_FORMAT,
    "litellm_gateway": litellm_gateway.LOG_FORMAT,
    "mapped": mapped.LOG_FORMAT,
    "minio_audit": minio_audit.LOG_FORMAT,
    "slurm_sacct": slurm_sacct.LOG_FORMAT,
    "sshd": sshd.LOG_FORMAT,
}
"""Every log format by its id; the config refuses any other id."""
