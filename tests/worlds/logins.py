"""Logs of every format in which chosen logins act."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from schemas.config import JobConfig
from tests.worlds.day_logs import lines
from tests.worlds.raw_logs import job_config, write_file
from tests.worlds.sample_records import HEADERS, NOON, RECORDS, source_of, text_of

LOGINS = {
    "aws_cloudtrail": ('ana"', '{}"'),
    "aws_s3_access": ("user/ana ", "user/{} "),
    "azure_storage": ("ana@example.com", "{}"),
    "gcp_audit": ("ana@example.com", "{}"),
    "github_audit": ("ana-gh", "{}"),
    "gitlab_audit": ('"author_name": "Ana Example"', '"meta.user": "{}"'),
    "kubernetes_audit": ("ana@example.com", "{}"),
    "minio_audit": ('"bo"', '"{}"'),
    "litellm_gateway": ("u0017", "{}"),
    "slurm_sacct": ("ana-slurm", "{}"),
    "sshd": ("for ubuntu", "for {}"),
    "mapped": ("ana@example.com", "{}"),
}
"""The actor in the text of each format's sample record, and the form of a login in its place."""


def put_logins(folder: Path, *logins: str) -> JobConfig:
    """Write a log of each format in which each login acts once; return a job that reads them."""
    for format_id, (sample, form) in LOGINS.items():
        texts = [HEADERS[format_id]] if format_id in HEADERS else []
        for number, login in enumerate(logins):
            text = text_of(RECORDS[format_id](number, NOON + timedelta(minutes=number)))
            assert sample in text
            texts.append(text.replace(sample, form.replace("{}", login)))
        write_file(folder / f"raw/{format_id}/a.log", lines(*texts))
    return job_config(folder, [source_of(format_id) for format_id in LOGINS])
