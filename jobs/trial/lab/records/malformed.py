"""Broken records, planted among the good ones."""

from __future__ import annotations

import numpy as np


def plan_malformed(rng: np.random.Generator, days: int) -> dict[tuple[str, int], list[str]]:
    """Broken records by source and day: cut lines, missing fields, wrong types, short rows."""
    kinds = {
        "aws_cloudtrail": [
            '{"eventVersion":"1.10","eventSource":"s3.amazonaws.com","eventID":"x1"}',
            '"not a record"',
            '{"eventName":"GetObject","eventTime":"yesterday"}',
        ],
        "github_audit": [
            '{"action":"git.clone","actor":"someone","repo":"cut/off',
            "<html>502</html>",
            '{"action":"git.fetch","actor":"someone","user_id":0}',
        ],
        "kubernetes_audit": [
            '{"kind":"Event","apiVersion":"audit.k8s.io/v1","stage":"Respo',
            "I1030 stray log line",
            '{"kind":"Event","apiVersion":"audit.k8s.io/v1","verb":"get"}',
        ],
        "slurm_sacct": ["7|7|cut", "slurm_load_jobs error: Unable to contact controller"],
    }
    plan: dict[tuple[str, int], list[str]] = {}
    for source, texts in kinds.items():
        for _ in range(int(rng.integers(2, 4))):
            day = int(rng.integers(0, days))
            plan.setdefault((source, day), []).append(texts[int(rng.integers(len(texts)))])
    return plan
