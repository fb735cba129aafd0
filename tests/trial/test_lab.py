"""The sample lab generator: determinism, formats, planted defects and the written truth."""

from __future__ import annotations

import csv
import gzip
import hashlib
import ipaddress
import json
import os
import re
import subprocess
import sys
from collections import Counter
from datetime import date, datetime
from pathlib import Path

import pytest
import yaml

from jobs.trial.lab import main, make_lab
from jobs.trial.lab.api_cases import API_INCIDENTS, API_LOOK_ALIKES
from jobs.trial.lab.cases_by_build import BUILD_INCIDENTS
from jobs.trial.lab.cases_by_job import JOB_INCIDENTS
from jobs.trial.lab.cases_by_place import PLACE_LOOK_ALIKES
from jobs.trial.lab.feed import SOURCES
from jobs.trial.lab.look_alikes import LOOK_ALIKES
from jobs.trial.lab.planting import ADDED, INCIDENTS

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow
SMALL = {"people": 12, "services": 4, "days": 6}
RESERVED = [
    ipaddress.ip_network(n)
    for n in (
        "10.0.0.0/8",
        "100.64.0.0/10",
        "192.0.2.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
    )
]


def digest(folder: Path) -> dict[str, str]:
    """Hash of every file below a folder."""
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


def rows_of(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV file."""
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def loads(text: str) -> dict | None:
    """A JSON object, or None if the text is none."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def good_trail(r: object) -> bool:
    """A CloudTrail record with the fields that a reader needs."""
    needed = {"eventID", "eventName", "userIdentity", "sourceIPAddress", "recipientAccountId"}
    if not isinstance(r, dict) or not needed <= r.keys():
        return False
    return bool(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", r["eventTime"]))


def good_github(r: dict | None) -> bool:
    """A GitHub audit event: an action and a time in epoch milliseconds."""
    times = [] if r is None else [r[k] for k in ("@timestamp", "created_at") if k in r]
    return bool(times) and all(isinstance(t, int) and t > 10**12 for t in times) and "action" in r


def good_k8s(r: dict | None) -> bool:
    """A Kubernetes audit event in its native form."""
    if r is None or r.get("kind") != "Event" or "requestReceivedTimestamp" not in r:
        return False
    datetime.fromisoformat(r["stageTimestamp"])
    return {"auditID", "stage", "verb", "user", "objectRef", "sourceIPs", "requestURI"} <= r.keys()


class Logs:
    """All files of a generated folder, read back."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
        self.bad: Counter[str] = Counter()
        self.truncated: list[str] = []
        self.trail: list[dict] = []
        self.github: list[dict] = []
        self.k8s: list[dict] = []
        self.slurm: list[dict[str, str]] = []
        self.gateway = [
            json.loads(line)
            for path in sorted((folder / "raw" / "litellm_gateway").rglob("*.ndjson.gz"))
            for line in gzip.decompress(path.read_bytes()).decode().splitlines()
        ]
        self.folders: dict[str, set[str]] = {}
        raw = folder / "raw"
        for path in sorted((raw / "aws_cloudtrail").rglob("*.json.gz")):
            try:
                records = json.loads(gzip.decompress(path.read_bytes()))["Records"]
            except EOFError:
                self.truncated.append(path.relative_to(folder).as_posix())
                continue
            good = [r for r in records if good_trail(r)]
            self.bad["aws_cloudtrail"] += len(records) - len(good)
            self.trail += good
            for r in good:
                self.folders.setdefault(r["eventID"], set()).add("-".join(path.parts[-4:-1]))
        for source, check, into in (
            ("github_audit", good_github, self.github),
            ("kubernetes_audit", good_k8s, self.k8s),
        ):
            for path in sorted((raw / source).rglob("*.ndjson.gz")):
                for line in gzip.decompress(path.read_bytes()).decode().splitlines():
                    record = loads(line)
                    if check(record):
                        into.append(record)
                    else:
                        self.bad[source] += 1
        for path in sorted((raw / "slurm_sacct").rglob("sacct-*.txt")):
            header, *lines = path.read_text(encoding="utf-8").splitlines()
            names = header.split("|")
            for line in lines:
                cells = line.split("|")
                if len(cells) == len(names):
                    self.slurm.append(dict(zip(names, cells, strict=True)))
                else:
                    self.bad["slurm_sacct"] += 1

    def who(self) -> dict[str, str]:
        """Event id to user_id, resolved only through the directory and AssumeRole calls."""
        users = {
            alias: r["user_id"]
            for r in rows_of(self.folder / "context" / "directory.csv")
            for alias in [*r["aliases"].split(";"), r["email"]]
        }
        issued = {
            r["responseElements"]["credentials"]["accessKeyId"]: r["userIdentity"]
            for r in self.trail
            if r["eventName"] == "AssumeRole"
        }
        found = {}
        for r in self.trail:
            identity = r["userIdentity"]
            identity = issued.get(identity.get("accessKeyId"), identity)
            arn = identity.get("arn", "")
            if identity.get("type") == "AWSAccount":
                found[r["eventID"]] = identity["principalId"]
                continue
            role = identity.get("sessionContext", {}).get("sessionIssuer", {}).get("arn")
            found[r["eventID"]] = users.get(
                arn, users.get(arn.rsplit("/", 1)[-1], users.get(role, ""))
            )
        for r in self.github:
            found[r.get("_document_id", "")] = users.get(r.get("actor", ""), "")
        for r in self.k8s:
            found[r["auditID"]] = users.get(r["user"]["username"], "")
        for r in self.slurm:
            if r["User"]:
                found[f"{r['Cluster']}/{r['JobIDRaw']}"] = users.get(r["User"], "")
        for r in self.gateway:
            about = r["metadata"]
            holder = about["user_api_key_user_id"] or about["user_api_key_alias"]
            found[r["id"]] = holder or about["user_api_key_hash"]
        return found


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A very small lab."""
    folder = tmp_path_factory.mktemp("small") / "lab"
    make_lab(folder, seed=5, **SMALL)
    return folder


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Logs:
    """The smallest lab with every incident and look-alike."""
    folder = tmp_path_factory.mktemp("medium") / "lab"
    make_lab(folder, seed=11, people=64, services=9, days=9)
    return Logs(folder)


def test_same_seed_same_bytes_in_another_process(small: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from jobs.trial.lab import make_lab; "
        f"make_lab(Path(sys.argv[1]), seed=5, **{SMALL})"
    )
    env = {**os.environ, "PYTHONHASHSEED": "77", "TZ": "Asia/Tokyo"}
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "b")], check=True, cwd=ROOT, env=env)
    assert digest(tmp_path / "b") == digest(small)


def test_another_seed_is_another_lab(small: Path, tmp_path: Path) -> None:
    other = make_lab(tmp_path / "other", seed=6, **SMALL)
    truth = json.loads((small / "truth.json").read_text())
    names = [
        {
            r["display_name"]
            for r in rows_of(f / "context" / "directory.csv")
            if r["kind"] == "human"
        }
        for f in (small, tmp_path / "other")
    ]
    assert len(names[0] & names[1]) <= 2
    facts = [
        {(c["kind"], c["first_day"], json.dumps(c["knobs"])) for c in t["incidents"]}
        for t in (truth, other)
    ]
    assert not facts[0] & facts[1]


def test_every_case_is_planted_and_some_reach_the_last_day(logs: Logs) -> None:
    added = [(each.__name__ for each in cases) for _, cases, _ in ADDED]
    every = {f.__name__ for f in (*INCIDENTS, *API_INCIDENTS)}.union(*added)
    assert {case["kind"] for case in logs.truth["incidents"]} == every
    # The window is too short for a long leave.
    added = [(f.__name__ for f in cases if f not in PLACE_LOOK_ALIKES) for *_, cases in ADDED]
    every = {f.__name__ for f in (*LOOK_ALIKES, *API_LOOK_ALIKES)}.union(*added)
    assert {case["kind"] for case in logs.truth["look_alikes"]} == every
    assert any(c["last_day"] == logs.truth["last_day"] for c in logs.truth["incidents"])


def test_only_the_planted_records_are_bad(logs: Logs) -> None:
    planted = {k: v for k, v in logs.truth["malformed_records"].items() if v}
    assert dict(+logs.bad) == planted
    assert sum(planted.values()) > 4
    assert logs.truncated == logs.truth["truncated_files"]
    assert len(logs.truncated) == 1


def test_record_and_event_counts(logs: Logs) -> None:
    truth = logs.truth
    found = {
        "aws_cloudtrail": logs.trail,
        "github_audit": logs.github,
        "kubernetes_audit": logs.k8s,
        "slurm_sacct": logs.slurm,
        "litellm_gateway": logs.gateway,
    }
    for source, records in found.items():
        extra = 0 if source == "slurm_sacct" else truth["duplicate_records"][source]
        assert len(records) == truth["records"][source] + extra, source
    assert len({r["eventID"] for r in logs.trail}) == truth["events"]["aws_cloudtrail"]
    assert len({r["auditID"] for r in logs.k8s}) == truth["events"]["kubernetes_audit"]
    jobs = {r["JobIDRaw"] for r in logs.slurm if "." not in r["JobIDRaw"]}
    assert len(jobs) == truth["events"]["slurm_sacct"]
    assert sum("xPreviewField" in r for r in logs.trail) >= 1


def test_truth_names_people_and_assets_of_the_context(logs: Logs) -> None:
    context = logs.folder / "context"
    users = {r["user_id"] for r in rows_of(context / "directory.csv")}
    assets = {r["asset_id"]: r for r in rows_of(context / "assets.csv")}
    for case in logs.truth["incidents"]:
        known = set(case["user_ids"]) <= users
        # The lab's directory does not hold the accounts of those who distil or come from outside.
        strange = case["kind"] in ("api_distillation", "opened_bucket")
        assert case["user_ids"] and known != strange, case["kind"]
        listed = [a for a in case["asset_ids"] if a in assets]
        assert len(listed) > len(case["asset_ids"]) * 0.6  # a few repositories are unlisted
        for step in case["evidence"]:
            assert 0 <= step["artefact_fraction"] <= 1
        assert case["evidence"][-1]["taken_fraction"] == 1.0
    for ticket in rows_of(context / "approvals.csv"):
        assert {ticket["user_id"], ticket["approver_id"]} <= users
    emails = [r["email"] for r in rows_of(context / "directory.csv")]
    assert all(e.endswith(("@example.com", "@example.org")) for e in emails)
    assert len(emails) == len(set(emails))


def test_every_incident_event_is_in_the_logs_under_its_user(logs: Logs) -> None:
    who = logs.who()
    for case in logs.truth["incidents"]:
        assert len(case["event_ids"]) == sum(s["events"] for s in case["evidence"])
        owners = {who.get(i, "missing") for i in case["event_ids"]}
        if case["kind"] in {f.__name__ for f in (*JOB_INCIDENTS, *BUILD_INCIDENTS)}:
            # The roles of their jobs read, or the builds.
            assert owners > set(case["user_ids"]), case["kind"]
            continue
        assert owners == set(case["user_ids"]), case["kind"]


def test_the_silent_bucket_has_no_records_of_others(logs: Logs) -> None:
    case = next(c for c in logs.truth["incidents"] if c["kind"] == "silent_bucket")
    reads = [r for r in logs.trail if r["eventID"] in set(case["event_ids"])]
    bucket = {r["requestParameters"]["bucketName"] for r in reads if r["eventName"] == "GetObject"}
    last = datetime.fromisoformat(case["evidence"][-1]["to"])
    planted = {i for each in logs.truth["incidents"] for i in each["event_ids"]}
    gap = [
        r
        for r in logs.trail
        if r["eventName"] == "GetObject"
        and r["eventID"] not in planted
        and r["requestParameters"]["bucketName"] in bucket
        and 5100 < (datetime.fromisoformat(r["eventTime"]) - last).total_seconds() < 5 * 3600
    ]
    # Services of the vendor read without an asset.
    assert len(bucket) == 1 and len(gap) < 10


def test_bytes_and_objects_of_a_bulk_copy_add_up(logs: Logs) -> None:
    case = next(c for c in logs.truth["incidents"] if c["kind"] == "leaver_bulk_copy")
    ids = set(case["event_ids"])
    mine = {r["eventID"]: r for r in logs.trail if r["eventID"] in ids}
    reads = [r for r in mine.values() if r["eventName"] == "GetObject"]
    keys = {r["requestParameters"]["key"] for r in reads}
    assert len(keys) == case["evidence"][-1]["objects_so_far"]
    out = sum(r["additionalEventData"].get("bytesTransferredOut", 0) for r in reads)
    total = case["evidence"][-1]["bytes_so_far"]
    assert 0.8 * total <= out <= total  # some records carry no byte count


def test_delivery_is_late_repeated_and_out_of_order(logs: Logs) -> None:
    late = Counter()
    for r in logs.trail:
        for folder in logs.folders[r["eventID"]]:
            gap = date.fromisoformat(folder) - date.fromisoformat(r["eventTime"][:10])
            late[gap.days] += 1
    assert set(late) == {0, 1, 2}
    times = [r["eventTime"] for r in logs.trail]
    assert times != sorted(times)
    stages = {r["stage"] for r in logs.k8s}
    assert stages == {"RequestReceived", "ResponseStarted", "ResponseComplete"}
    assert any(r["End"] == "Unknown" for r in logs.slurm)
    assert any(r["State"].startswith("CANCELLED by ") for r in logs.slurm)
    assert any(r.get("actor") == "github-actions[bot]" for r in logs.github)


def test_no_address_outside_the_reserved_ranges(logs: Logs) -> None:
    seen = {r["sourceIPAddress"] for r in logs.trail}
    seen |= {r["actor_ip"] for r in logs.github if "actor_ip" in r}
    seen |= {ip for r in logs.k8s for ip in r["sourceIPs"]}
    seen |= {r["metadata"]["requester_ip_address"] for r in logs.gateway}
    addresses = {s for s in seen if not s.endswith(".amazonaws.com")}
    nets = [r["cidr"] for r in rows_of(logs.folder / "context" / "networks.csv")]
    known = [ipaddress.ip_network(n) for n in nets]
    assert all(any(n.subnet_of(r) for r in RESERVED) for n in known)
    for text in addresses:
        assert any(ipaddress.ip_address(text) in n for n in RESERVED), text


def test_config_names_the_sources(small: Path) -> None:
    config = yaml.safe_load((small / "config.yml").read_text(encoding="utf-8"))
    formats = {s["format"]: s for s in config["sources"]}
    assert set(formats) == set(SOURCES)
    assert formats["slurm_sacct"]["timezone"] == "America/Los_Angeles"
    for source in config["sources"]:
        pattern = re.sub(r"\{\w+\}", "*", source["path"])
        assert list(small.glob(pattern)), source["name"]


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    args = ["--seed", "3", "--people", "6", "--services", "2", "--days", "3"]
    assert main(["--out", str(tmp_path / "lab"), *args]) == 0
    assert "incidents" in capsys.readouterr().out
    assert main(["--out", str(tmp_path / "lab"), *args]) == 2
    assert "not empty" in capsys.readouterr().err


def test_a_ring_has_one_tie_and_each_key_stays_small(logs: Logs) -> None:
    case = next(c for c in logs.truth["incidents"] if c["kind"] == "api_distillation")
    mine = [r for r in logs.gateway if r["id"] in set(case["event_ids"])]
    keys = Counter(r["metadata"]["user_api_key_hash"] for r in mine)
    assert len(keys) == case["knobs"]["keys"] == len(case["user_ids"])
    assert max(keys.values()) < 4 * min(keys.values()) + 40
    addresses = {r["metadata"]["requester_ip_address"] for r in mine}
    agents = {r["metadata"]["user_agent"] for r in mine}
    tie = case["knobs"]["tie"]
    assert len(addresses) == (1 if tie == "address" else len(keys))
    assert tie != "program" or len(agents) == 1
    share = len(logs.gateway) / sum(logs.truth["events"].values())
    assert 0.02 < share < 0.2
