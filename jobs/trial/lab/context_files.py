"""The sample lab's context files and its job config."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from jobs.trial.lab.world import (
    ACCOUNT,
    BACKUP_ACCOUNT,
    K8S_CLUSTER,
    SLURM_CLUSTER,
    SLURM_ZONE,
    Lab,
    Person,
)


def aliases(p: Person) -> list[str]:
    """The principals of an identity that the directory lists."""
    if p.kind == "service":
        found = [f"arn:aws:iam::{ACCOUNT}:role/{p.role}", p.k8s]
        return found + ([p.github] if p.github else [])
    found = [*dict.fromkeys([p.email, p.k8s]), p.slurm]
    found += [] if p.hide_github else [p.github]
    return found + (
        [f"arn:aws:iam::{ACCOUNT}:user/{p.name.replace(' ', '.').lower()}"] if p.iam_user else []
    )


def _write_csv(path: Path, header: str, rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(header.split(","))
        writer.writerows(rows)


def directory_rows(lab: Lab, day: int) -> list[list[str]]:
    """directory.csv as of a day index."""
    rows = []
    for p in [*lab.people, *lab.services]:
        team = p.new_team[1] if p.new_team and day >= p.new_team[0] else p.team
        rows.append(
            [
                p.user_id,
                p.email,
                p.name,
                p.kind,
                team,
                p.manager,
                p.title,
                p.employment,
                p.country,
                "" if p.start == -999 else lab.iso(p.start),
                lab.iso(p.notice),
                lab.iso(p.end),
                ";".join(aliases(p)),
            ]
        )
    return rows


def write_context(lab: Lab, folder: Path) -> None:
    """The four context files, and a later directory if somebody changed team."""
    folder.mkdir(parents=True, exist_ok=True)
    header = (
        "user_id,email,display_name,kind,team,manager_id,title,employment,country,"
        "start_date,notice_date,end_date,aliases"
    )
    _write_csv(folder / "directory.csv", header, directory_rows(lab, -1))
    for day in sorted({p.new_team[0] for p in lab.people if p.new_team}):
        _write_csv(folder / f"directory.{lab.iso(day)}.csv", header, directory_rows(lab, day))
    rows = [
        [
            a.asset_id,
            a.kind,
            a.name,
            a.team,
            a.sensitivity,
            len(a.keys) if a.keys and a.declared else "",
            sum(a.sizes) if a.keys and a.declared else "",
            ";".join(a.allowed),
            a.pattern,
        ]
        for a in lab.assets()
        if a.listed
    ]
    _write_csv(
        folder / "assets.csv",
        "asset_id,kind,name,owner_team,sensitivity,objects,bytes,allowed_countries,pattern",
        rows,
    )
    _write_csv(
        folder / "approvals.csv",
        "ticket_id,user_id,pattern,start,end,approver_id,reason",
        sorted(lab.approvals),
    )
    _write_csv(folder / "networks.csv", "cidr,zone,country,asn", lab.networks)


def write_config(folder: Path, budget: int = 10) -> None:
    """A job config that runs on the folder unchanged."""
    (folder / "config.yml").write_text(
        f"""\
# Sample lab: run with  exfilwatch run --config config.yml
sources:
  - name: object-store
    format: aws_cloudtrail
    path: raw/aws_cloudtrail/{{yyyy}}/{{mm}}/{{dd}}/*.json.gz
    timezone: UTC
  - name: repositories
    format: github_audit
    path: raw/github_audit/{{yyyy}}/{{mm}}/{{dd}}/*.ndjson.gz
    timezone: UTC
  - name: k8s-{K8S_CLUSTER}
    format: kubernetes_audit
    cluster: {K8S_CLUSTER}
    path: raw/kubernetes_audit/{{yyyy}}/{{mm}}/{{dd}}/audit-{K8S_CLUSTER}-*.ndjson.gz
    timezone: UTC
  - name: slurm-{SLURM_CLUSTER}
    format: slurm_sacct
    cluster: {SLURM_CLUSTER}
    path: raw/slurm_sacct/{{yyyy}}/{{mm}}/{{dd}}/sacct-{SLURM_CLUSTER}.txt
    timezone: {SLURM_ZONE}
  - name: gateway
    format: litellm_gateway
    path: raw/litellm_gateway/{{yyyy}}/{{mm}}/{{dd}}/*.ndjson.gz
    timezone: UTC
context: context/
storage: warehouse/
output: out/
alert_budget: {budget}
own_accounts: ["{ACCOUNT}", "{BACKUP_ACCOUNT}"]
""",
        encoding="utf-8",
    )
