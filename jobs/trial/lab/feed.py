"""Rendering records in the vendors' formats and delivering them late, shuffled and repeated."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

import numpy as np

from jobs.trial.lab.world import (
    ACCOUNT,
    DAY,
    K8S_CLUSTER,
    SLURM_CLUSTER,
    SLURM_ZONE,
    Asset,
    Lab,
    Person,
)

CLOCK = [f"{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}" for s in range(DAY)]
REGION = "us-west-2"
SOURCES = ("aws_cloudtrail", "github_audit", "kubernetes_audit", "slurm_sacct")
FILE_RECORDS = {"aws_cloudtrail": 2500, "github_audit": 2000, "kubernetes_audit": 4000}
SACCT_HEADER = (
    "JobID|JobIDRaw|JobName|Cluster|Partition|QOS|Account|User|UID|Submit|Eligible|Start|End|Elapsed|"
    "ExitCode|State|NNodes|NCPUS|ReqMem|AllocTRES|Timelimit|NodeList|WorkDir|SubmitLine"
)
READ_ONLY = {
    "GetObject",
    "HeadObject",
    "ListObjects",
    "HeadBucket",
    "ListBuckets",
    "GetCallerIdentity",
    "AssumeRole",
    "AssumeRoleWithWebIdentity",
    "GetBucketPolicy",
}
MANAGEMENT = READ_ONLY - {"GetObject", "HeadObject", "ListObjects"} | {"PutBucketPolicy"}
ERRORS = {"AccessDenied": "Access Denied", "NoSuchKey": "The specified key does not exist."}
ZONE = ZoneInfo(SLURM_ZONE)


@dataclass
class Case:
    """A planted incident or look-alike and the evidence it leaves."""

    case_id: str
    kind: str
    is_incident: bool
    user_ids: list[str]
    asset_ids: list[str]
    description: str
    knobs: dict[str, object] = field(default_factory=dict)
    total: int | None = None
    evidence: dict[int, dict] = field(default_factory=dict)
    event_ids: list[str] = field(default_factory=list)
    seen: set[tuple[str, str]] = field(default_factory=set)

    def note(self, t: float, day: int, event_id: str, asset: str, item: str, moved: int) -> None:
        """Count one event of this case; `item` is the object taken, empty where none was."""
        e = self.evidence.setdefault(
            day, {"events": 0, "objects": 0, "bytes": 0, "from": t, "to": t}
        )
        e["events"] += 1
        e["bytes"] += moved
        e["from"], e["to"] = min(e["from"], t), max(e["to"], t)
        if item and (asset, item) not in self.seen:
            self.seen.add((asset, item))
            e["objects"] += 1
        if self.is_incident:
            self.event_ids.append(event_id)


@dataclass
class Session:
    """What a caller looks like in CloudTrail: identity JSON, address, user agent."""

    identity: str
    ip: str
    agent: str


def floats(rng: np.random.Generator) -> Iterator[float]:
    """Endless uniform numbers, drawn in blocks."""
    while True:
        yield from rng.random(1 << 15).tolist()


def hexes(rng: np.random.Generator) -> Iterator[str]:
    """Endless 32-digit hexadecimal strings, drawn in blocks."""
    while True:
        block = rng.bytes(1 << 16).hex()
        for i in range(0, len(block), 32):
            yield block[i : i + 32]


def uuid_of(h: str) -> str:
    """A 32-digit hex string in UUID form."""
    return f"{h[:8]}-{h[8:12]}-4{h[13:16]}-a{h[17:20]}-{h[20:]}"


def key_of(h: str, prefix: str = "ASIA") -> str:
    """An access key id made from a hex string."""
    return prefix + "".join("ABCDEFGHJKLMNPQR"[int(c, 16)] for c in h[:16])


class Feed:
    """Collects rendered records and writes them, day by day, as the vendors deliver them."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        rng = np.random.default_rng([lab.seed, 2])
        self.lab, self.folder, self.rng = lab, folder, rng
        self.u, self.h = floats(rng), hexes(rng)
        self.case: Case | None = None
        self.counts = dict.fromkeys(SOURCES, 0)
        self.rows = dict.fromkeys(SOURCES, 0)
        self.unknown_fields = dict.fromkeys(SOURCES, 0)
        self.duplicates = dict.fromkeys(SOURCES, 0)
        self.buffer: dict[int, dict[str, list[tuple[float, str]]]] = {}
        self.delays: dict[tuple[str, int], list[int]] = {}
        self.sequence = int(rng.integers(400_000, 9_000_000))
        self.static_keys: dict[str, str] = {}
        self.role_ids: dict[str, str] = {}
        self.actor_ids: dict[str, int] = {}
        self.tokens: dict[tuple[str, str], str] = {}
        self.org_id = int(rng.integers(10_000_000, 200_000_000))
        self.bad = plan_malformed(rng, lab.days)
        self.truncate_day = int(rng.integers(0, lab.days))
        self.truncated: list[str] = []
        self.malformed = dict.fromkeys(SOURCES, 0)

    # ---- time and delivery -------------------------------------------------------------------

    def day_of(self, t: float) -> int:
        """Day index of an epoch time."""
        return int((t - self.lab.t0) // DAY)

    def stamp(self, t: float) -> str:
        """ISO 8601 UTC with whole seconds, without the zone letter."""
        s = int(t - self.lab.t0)
        return f"{self.lab.date_of(s // DAY)}T{CLOCK[s % DAY]}"

    def inside(self, t: float) -> bool:
        """Whether a time lies in the generated window."""
        return 0 <= t - self.lab.t0 < self.lab.days * DAY

    def _delay(self, source: str, day: int, second: float) -> int:
        blocks = self.delays.get((source, day))
        if blocks is None:
            draws = self.rng.random(144)
            blocks = ((draws < 0.035).astype(int) + (draws < 0.01)).tolist()
            self.delays[source, day] = blocks
        return blocks[int(second // 600)]

    def add(self, source: str, t: float, text: str) -> None:
        """Queue one rendered record for delivery; now and then twice, or with unknown fields."""
        u = self.u
        if next(u) < 0.0004:
            text = text[:-1] + ',"xPreviewField":{"build":7,"tags":["a",null]}}'
            self.unknown_fields[source] += 1
        second = t - self.lab.t0
        arrival = second + 60 + 840 * next(u)
        folder = int(arrival // DAY) + self._delay(source, int(second // DAY), second % DAY)
        folder = min(folder, int(second // DAY) + 2)
        self.rows[source] += 1
        self.buffer.setdefault(folder, {}).setdefault(source, []).append((arrival, text))
        if next(u) < 0.01:
            self.duplicates[source] += 1
            again = folder + (next(u) < 0.2 and folder < int(second // DAY) + 2)
            self.buffer.setdefault(again, {}).setdefault(source, []).append((arrival + 9000, text))

    def _note(
        self, source: str, t: float, event_id: str, asset: str, item: str, moved: int
    ) -> None:
        self.counts[source] += 1
        if self.case is not None:
            self.case.note(t, self.day_of(t), event_id, asset, item, moved)

    def flush(self, day: int) -> None:
        """Write everything delivered into the folder of one day and forget it."""
        sources = self.buffer.pop(day, {})
        for source in SOURCES[:3]:
            rows = sorted(sources.get(source, []), key=lambda r: r[0])
            if rows:
                texts = [text for _, text in rows]
                for bad in self.bad.get((source, day), ()):
                    texts.insert(int(self.rng.integers(len(texts))), bad)
                    self.malformed[source] += 1
                self._write_files(source, day, texts)
        rows = sorted(sources.get("slurm_sacct", []), key=lambda r: r[0])
        if rows:
            self._write_sacct(day, [text for _, text in rows])
        for key in [k for k in self.delays if k[1] < day - 4]:
            del self.delays[key]

    def _path(self, source: str, day: int, name: str) -> Path:
        path = self.folder / "raw" / source / self.lab.date_of(day).strftime("%Y/%m/%d") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _write_files(self, source: str, day: int, texts: list[str]) -> None:
        size = FILE_RECORDS[source]
        parts = [texts[i : i + size] for i in range(0, len(texts), size)]
        for i, part in enumerate(parts):
            tag, minute = next(self.h), 1440 * (i + 1) // (len(parts) + 1) // 5 * 5
            hhmm, compact = (
                f"{minute // 60:02d}{minute % 60:02d}",
                self.lab.iso(day).replace("-", ""),
            )
            if source == "aws_cloudtrail":
                name = f"{ACCOUNT}_CloudTrail_{REGION}_{compact}T{hhmm}Z_{tag[:16]}.json.gz"
                data = '{"Records":[' + ",".join(part) + "]}"
            else:
                name = (
                    f"audit-{K8S_CLUSTER}-{hhmm}-{i}.ndjson.gz"
                    if source == "kubernetes_audit"
                    else f"{compact}-{hhmm}-{tag[:8]}.ndjson.gz"
                )
                data = "\n".join(part) + "\n"
            packed = gzip.compress(data.encode(), 2, mtime=0)
            self._path(source, day, name).write_bytes(packed)
            if source == "aws_cloudtrail" and i == 0 and day == self.truncate_day:
                # an interrupted first delivery of the same file
                name = name.replace(tag[:16], tag[16:])
                path = self._path(source, day, name)
                path.write_bytes(packed[: len(packed) * 3 // 5])
                self.truncated.append(path.relative_to(self.folder).as_posix())

    def _write_sacct(self, day: int, texts: list[str]) -> None:
        for bad in self.bad.get(("slurm_sacct", day), ()):
            texts.insert(int(self.rng.integers(len(texts))), bad)
            self.malformed["slurm_sacct"] += 1
        path = self._path("slurm_sacct", day, f"sacct-{SLURM_CLUSTER}.txt")
        path.write_text("\n".join([SACCT_HEADER, *texts]) + "\n", encoding="utf-8")

    # ---- CloudTrail --------------------------------------------------------------------------

    def _role_id(self, role: str) -> str:
        if role not in self.role_ids:
            self.role_ids[role] = key_of(next(self.h), "AROA")
        return self.role_ids[role]

    def assumed(self, role: str, session: str, key: str, created: float) -> str:
        """userIdentity JSON of an assumed role session."""
        rid = self._role_id(role)
        path = "aws-reserved/sso.amazonaws.com/" if role.startswith("AWSReservedSSO") else ""
        return (
            f'{{"type":"AssumedRole","principalId":"{rid}:{session}","arn":"arn:aws:sts::{ACCOUNT}:'
            f'assumed-role/{role}/{session}","accountId":"{ACCOUNT}","accessKeyId":"{key}",'
            f'"sessionContext":{{"sessionIssuer":{{"type":"Role","principalId":"{rid}","arn":'
            f'"arn:aws:iam::{ACCOUNT}:role/{path}{role}","accountId":"{ACCOUNT}","userName":"{role}"}},'
            f'"attributes":{{"creationDate":"{self.stamp(created)}Z","mfaAuthenticated":"false"}}}}}}'
        )

    def sign_in(
        self, p: Person, t: float, ip: str, agent: str | None = None, chain: str | None = None
    ) -> Session:
        """A person's or service's session; `chain` names a role assumed under an opaque name."""
        agent = agent or p.agent
        if p.kind == "service":
            host = p.user_id + ip
            name = "i-0" + self.static_keys.setdefault(host, next(self.h))[:16]
            return Session(self.assumed(p.role, name, key_of(next(self.h)), t - 900), ip, agent)
        if p.iam_user:
            user = p.name.replace(" ", ".").lower()
            key = self.static_keys.setdefault(p.user_id, key_of(next(self.h), "AKIA"))
            base = (
                f'{{"type":"IAMUser","principalId":"{key.replace("AKIA", "AIDA")}","arn":"arn:aws:'
                f'iam::{ACCOUNT}:user/{user}","accountId":"{ACCOUNT}","accessKeyId":"{key}",'
                f'"userName":"{user}"}}'
            )
        else:
            tier = (
                "Research" if p.team in ("pretraining", "posttraining", "evals") else "Engineering"
            )
            base = self.assumed(
                f"AWSReservedSSO_{tier}_5f1e0c{len(tier):02d}a9",
                p.email,
                key_of(next(self.h)),
                t - 1800,
            )
        session = Session(base, ip, agent)
        if chain is None:
            return session
        serial = int(t - 300 * next(self.u))
        name = (
            f"slurm-{self.sequence}"
            if chain == "slurm-job-runner"
            else f"botocore-session-{serial}"
            if chain == "data-reader"
            else f"aws-go-sdk-{serial}123400000"
        )
        return Session(self.assume(session, t - 20, chain, name), ip, agent)

    def assume(self, by: Session, t: float, role: str, name: str) -> str:
        """Log an AssumeRole call and return the userIdentity JSON of what it issued."""
        key, rid = key_of(next(self.h)), self._role_id(role)
        arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{name}"
        params = (
            f'{{"roleArn":"arn:aws:iam::{ACCOUNT}:role/{role}","roleSessionName":"{name}",'
            '"durationSeconds":3600}'
        )
        response = (
            f'{{"credentials":{{"accessKeyId":"{key}","sessionToken":"HIDDEN_DUE_TO_SECURITY_REASONS",'
            f'"expiration":"{self.stamp(t + 3600)}Z"}},"assumedRoleUser":{{"assumedRoleId":'
            f'"{rid}:{name}","arn":"{arn}"}}}}'
        )
        self.aws(t, by, "AssumeRole", params=params, response=response, service="sts")
        return self.assumed(role, name, key, t)

    def aws(
        self,
        t: float,
        who: Session,
        name: str,
        *,
        params: str = "null",
        response: str = "null",
        extra: str = "",
        resources: str = "",
        service: str = "s3",
        error: str = "",
        asset: str = "",
        item: str = "",
        moved: int = 0,
    ) -> None:
        """One CloudTrail record."""
        if not self.inside(t):
            return
        event_id, req = uuid_of(next(self.h)), next(self.h)
        fail = f'"errorCode":"{error}","errorMessage":"{ERRORS[error]}",' if error else ""
        manage = name in MANAGEMENT
        category = "Management" if manage else "Data"
        more = f'"additionalEventData":{{{extra}}},' if extra else ""
        res = f'"resources":[{resources}],' if resources else ""
        self._note("aws_cloudtrail", t, event_id, asset, item, moved)
        self.add(
            "aws_cloudtrail",
            t,
            (
                f'{{"eventVersion":"1.10","userIdentity":{who.identity},"eventTime":"{self.stamp(t)}Z",'
                f'"eventSource":"{service}.amazonaws.com","eventName":"{name}","awsRegion":"{REGION}",'
                f'"sourceIPAddress":"{who.ip}","userAgent":"{who.agent}",{fail}"requestParameters":{params},'
                f'"responseElements":{response},{more}"requestID":"{req[:16].upper()}","eventID":'
                f'"{event_id}","readOnly":{"true" if name in READ_ONLY else "false"},{res}'
                f'"eventType":"AwsApiCall","managementEvent":{"true" if manage else "false"},'
                f'"recipientAccountId":"{ACCOUNT}","eventCategory":"{category}"}}'
            ),
        )

    def _extra(self, out: int, received: int = 0) -> str:
        u = next(self.u)
        head = (
            '"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn"'
            f':{received},"AuthenticationMethod":"AuthHeader"'
        )
        if u < 0.02:  # not always filled in
            return head
        return f'{head},"bytesTransferredOut":{float(out) if u < 0.2 else out}'

    def s3(
        self,
        t: float,
        who: Session,
        name: str,
        bucket: str,
        key: str = "",
        *,
        size: int = 0,
        span: tuple[int, int] | None = None,
        error: str = "",
        asset: str = "",
        listing: str | None = None,
    ) -> None:
        """One object or bucket call; `span` is the byte range of a ranged read."""
        host = f'"bucketName":"{bucket}","Host":"{bucket}.s3.{REGION}.amazonaws.com"'
        owner = (
            f'{{"accountId":"{ACCOUNT}","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::{bucket}"}}'
        )
        out = 0 if error else int(150 * next(self.u))
        if listing is not None:
            host += f',"list-type":"2","prefix":"{listing}"'
            out = 0 if error else int(400 + 90_000 * next(self.u))
        if key:
            host += f',"key":"{key}"'
            owner = f'{{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::{bucket}/{key}"}},{owner}'
        got = 0
        if name == "GetObject" and not error:
            got = out = size if span is None else span[1] - span[0] + 1
        if span is not None:
            host += f',"Range":"bytes={span[0]}-{span[1]}"'
        if error:
            out = 243
        taken = key if got else ""
        self.aws(
            t,
            who,
            name,
            params=f"{{{host}}}",
            resources=owner,
            error=error,
            asset=asset,
            extra=self._extra(out, size if name == "PutObject" else 0),
            item=taken,
            moved=got,
        )

    def copy(
        self,
        t: float,
        who: Session,
        asset: Asset,
        index: int,
        bucket: str,
        account: str,
        prefix: str = "",
    ) -> None:
        """A server-side copy of one object into another bucket: almost no bytes come back."""
        source = f"{asset.bucket}/{asset.keys[index]}"
        key = prefix + asset.keys[index]
        params = (
            f'{{"bucketName":"{bucket}","Host":"{bucket}.s3.{REGION}.amazonaws.com","key":"{key}",'
            f'"x-amz-copy-source":"{"/" if next(self.u) < 0.3 else ""}{quote(source, safe="")}"}}'
        )
        parts = [
            f'{{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::{bucket}/{key}"}}',
            f'{{"accountId":"{account}","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::{bucket}"}}',
            f'{{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::{source}"}}',
            f'{{"accountId":"{ACCOUNT}","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::{asset.bucket}"}}',
        ]
        if next(self.u) < 0.4:
            parts = parts[2:] + parts[:2]
        self.aws(
            t,
            who,
            "CopyObject",
            params=params,
            resources=",".join(parts),
            extra=self._extra(224 + int(66 * next(self.u))),
            asset=asset.asset_id,
            item=asset.keys[index],
            moved=asset.sizes[index],
        )

    def read(
        self, t: float, who: Session, asset: Asset, index: int, parts: int = 1, pace: float = 2.0
    ) -> float:
        """GET one object whole or in ranged parts; returns when the last part began."""
        size = asset.sizes[index]
        if parts <= 1 or size < 1 << 20:
            self.s3(
                t,
                who,
                "GetObject",
                asset.bucket,
                asset.keys[index],
                size=size,
                asset=asset.asset_id,
            )
            return t
        step = -(-size // parts)
        for low in range(0, size, step):
            self.s3(
                t,
                who,
                "GetObject",
                asset.bucket,
                asset.keys[index],
                asset=asset.asset_id,
                size=size,
                span=(low, min(size, low + step) - 1),
            )
            t += pace * next(self.u)
        return t

    # ---- GitHub ------------------------------------------------------------------------------

    def git(
        self,
        t: float,
        actor: str,
        action: str,
        repo: Asset | None,
        ip: str,
        agent: str,
        via: str = "SSH key",
        **fields: object,
    ) -> None:
        """One audit log event; times are epoch milliseconds in one or both of two fields."""
        if not self.inside(t):
            return
        u, h = next(self.u), next(self.h)
        ms = int(t * 1000) + int(999 * u)
        event_id = h[:22] + "=="
        times = (
            f'"@timestamp":{ms}'
            if u < 0.3
            else f'"created_at":{ms}'
            if u < 0.6
            else f'"@timestamp":{ms},"created_at":{ms}'
        )
        doc = f'"_document_id":"{event_id}",' if self.case is not None or u < 0.97 else ""
        actor_id = self.actor_ids.setdefault(actor, 1_000_000 + 977 * len(self.actor_ids))
        bot = "true" if actor.endswith("[bot]") else "false"
        where = (
            f'"actor":"{actor}","actor_id":{actor_id},"actor_ip":"{ip}","actor_is_bot":{bot},'
            if actor
            else ""
        )  # clones of public repositories may name nobody
        if repo is not None:
            full = f"{self.lab.org}/{repo.name}"
            where += (
                f'"repo":"{full}","repository":"{full}","repository_public":'
                f"{'true' if repo.sensitivity == 1 else 'false'},"
            )
        if action.startswith("git."):
            http = via != "SSH key"
            where += (
                f'"transport_protocol":{1 if http else 2},"transport_protocol_name":'
                f'"{"http" if http else "ssh"}",'
            )
        if via and via != "web":
            hashed = self.tokens.setdefault((actor, via), next(self.h)[:30] + "=")
            where += f'"programmatic_access_type":"{via}","hashed_token":"{hashed}",'
        for name, value in fields.items():
            where += f'"{name}":{json.dumps(value)},'
        self._note(
            "github_audit",
            t,
            event_id,
            repo.asset_id if repo else "",
            repo.name if repo and action in ("git.clone", "repo.download_zip") else "",
            0,
        )
        self.add(
            "github_audit",
            t,
            (
                f'{{{times},{doc}"action":"{action}","business":"{self.lab.name}",'
                f'"org":"{self.lab.org}","org_id":{self.org_id},{where}"user":"",'
                f'"user_id":0,"user_agent":"{agent}"}}'
            ),
        )

    # ---- Kubernetes --------------------------------------------------------------------------

    def k8s(
        self,
        t: float,
        user: str,
        verb: str,
        resource: str,
        ns: str,
        name: str,
        ip: str,
        agent: str,
        *,
        sub: str = "",
        code: int = 200,
        command: list[str] | None = None,
        stages: int = 1,
        asset: str = "",
        item: str = "",
    ) -> None:
        """One API request as one to three audit events with the same auditID."""
        if not self.inside(t):
            return
        audit_id = uuid_of(next(self.h))
        tail = f"/{name}" if name else ""
        tail += f"/{sub}" if sub else ""
        scope = f"/namespaces/{ns}" if ns else ""
        uri = f"/api/v1{scope}/{resource}{tail}"
        if command:
            args = [("command", c) for c in command] + [("container", "main"), ("stdout", "true")]
            uri += "?" + urlencode(args)
        elif verb == "watch":
            uri += "?watch=true&allowWatchBookmarks=true"
        groups = '"system:authenticated"'
        if user.startswith("system:serviceaccount:"):
            groups = (
                f'"system:serviceaccounts","system:serviceaccounts:{user.split(":")[2]}",{groups}'
            )
        ref = (
            f'"resource":"{resource}"'
            + (f',"namespace":"{ns}"' if ns else "")
            + (f',"name":"{name}"' if name else "")
            + ',"apiVersion":"v1"'
            + (f',"subresource":"{sub}"' if sub else "")
        )
        decision = "forbid" if code == 403 else "allow"
        self._note("kubernetes_audit", t, audit_id, asset, item, 0)
        names = {
            1: ("ResponseComplete",),
            2: ("ResponseStarted", "ResponseComplete"),
            3: ("RequestReceived", "ResponseStarted", "ResponseComplete"),
        }[stages]
        base, at = self.stamp(t), t
        for stage in names:
            frac = int(next(self.u) * 899_999)
            status = (
                ""
                if stage == "RequestReceived"
                else f'"responseStatus":{{"metadata":{{}},"code":{code}}},'
            )
            self.add(
                "kubernetes_audit",
                at,
                (
                    '{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":'
                    f'"{audit_id}","stage":"{stage}","requestURI":"{uri}","verb":"{verb}","user":'
                    f'{{"username":"{user}","groups":[{groups}]}},"sourceIPs":["{ip}"],"userAgent":'
                    f'"{agent}","objectRef":{{{ref}}},{status}"requestReceivedTimestamp":'
                    f'"{base}.{frac // 2:06d}Z","stageTimestamp":"{base}.{frac:06d}Z",'
                    '"annotations":'
                    f'{{"authorization.k8s.io/decision":"{decision}","authorization.k8s.io/reason":""}}}}'
                ),
            )

    # ---- Slurm -------------------------------------------------------------------------------

    def job(
        self,
        p: Person,
        submit: float,
        wait: float,
        run: float,
        name: str,
        *,
        state: str,
        gpus: int,
        account: str,
        array: int = 0,
        steps: int = 0,
        asset: str = "",
    ) -> None:
        """A batch job: rows in the accounting export of every local day it spans."""
        if not self.inside(submit):
            return
        raw = self.sequence
        self.sequence += 1 + array + int(4 * next(self.u))
        begin, end = submit + wait, submit + wait + run
        days = [_local(x).toordinal() for x in (submit, end)]
        nodes = max(1, gpus // 8)
        first = int(next(self.u) * 60)
        hosts = f"gpu-[{first:03d}-{first + nodes - 1:03d}]" if nodes > 1 else f"gpu-{first:03d}"
        for task in range(max(1, array)):
            job_raw = raw + task
            shown = f"{raw}_{task}" if array else str(raw)
            self._note("slurm_sacct", submit, f"{SLURM_CLUSTER}/{job_raw}", asset, "", 0)
            for ordinal in range(days[0], days[1] + 1):
                cut = datetime.fromordinal(ordinal + 1).replace(tzinfo=ZONE).timestamp()
                folder = ordinal + 1 - self.lab.first.toordinal()
                if folder > self.lab.days + 1:
                    break
                done, started = end <= cut, begin <= cut
                shown_state = state if done else "RUNNING" if started else "PENDING"
                elapsed = int((end if done else cut) - begin) if started else 0
                code = {"FAILED": "1:0", "COMPLETED": "0:0"}.get(shown_state, "0:15")
                span = (
                    f"{_local_text(submit)}|{_local_text(submit)}|"
                    f"{_local_text(begin) if started else 'Unknown'}|"
                    f"{_local_text(end) if done else 'Unknown'}|{_elapsed(elapsed)}|{code}|"
                )
                cpus = gpus * 8
                tres = f"billing={cpus},cpu={cpus},gres/gpu={gpus},mem={gpus * 64}G,node={nodes}"
                home = (
                    f"/home/{p.slurm}|sbatch --gres=gpu:{min(8, gpus)} {name.split('-')[0]}.sbatch"
                )
                rows = [
                    f"{shown}|{job_raw}|{name}|{SLURM_CLUSTER}|gpu|normal|{account}|{p.slurm}|{p.uid}|"
                    f"{span}{shown_state}|{nodes}|{gpus * 8}|{gpus * 64}G|{tres}|1-00:00:00|"
                    f"{hosts if started else 'None assigned'}|{home}"
                ]
                step_state = "CANCELLED" if shown_state.startswith("CANCELLED") else shown_state
                parts = ["batch", "extern", *map(str, range(steps))] if started else []
                rows.extend(
                    f"{shown}.{part}|{job_raw}.{part}|{part}|{SLURM_CLUSTER}|||{account}|||"
                    f"{span}{step_state}|{nodes}|{cpus}||{tres}||{hosts}||"
                    for part in parts
                )
                if next(self.u) < 0.01:
                    self.duplicates["slurm_sacct"] += 1
                    rows.append(rows[0])
                self.rows["slurm_sacct"] += len(rows)
                queue = self.buffer.setdefault(max(folder, 0), {}).setdefault("slurm_sacct", [])
                queue.extend((job_raw, row) for row in rows)


def _local(t: float) -> datetime:
    return datetime.fromtimestamp(t, tz=ZONE)


def _local_text(t: float) -> str:
    return datetime.fromtimestamp(int(t), tz=ZONE).strftime("%Y-%m-%dT%H:%M:%S")


def _elapsed(seconds: int) -> str:
    days, rest = divmod(seconds, DAY)
    return (f"{days}-" if days else "") + CLOCK[rest]


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


def spread(rng: np.random.Generator, count: int, start: float, seconds: float) -> list[float]:
    """Ordered times of `count` actions in a span, in uneven bursts."""
    gaps = rng.gamma(0.7, 1.0, count + 1)
    return (start + seconds * np.cumsum(gaps)[:-1] / gaps.sum()).tolist() if count else []


def local_start(lab: Lab, day: int, hour: float, offset: float, seconds: float = 0.0) -> float:
    """Epoch of a local hour so that it falls in UTC day `day` and the span stays in the window."""
    t = lab.t0 + day * DAY + ((hour - offset) * 3600) % DAY
    return min(t, lab.t0 + lab.days * DAY - seconds - 60)
