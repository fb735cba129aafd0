"""CloudTrail files for the benchmark: seeded, realistic in size and shape, cheap to make."""

from __future__ import annotations

import csv
import gzip
import json
import random
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

PEOPLE = 1_300
SERVICES = 100
ASSETS = 100
SHARDS = 400
RECORDS_PER_FILE = 2_750
DAY = "2026-10-05"
ACCOUNT = "111122223333"

RECORD = (
    '{"eventVersion":"1.11","userIdentity":{"type":"AssumedRole","principalId":"AROAEXAMPLEEXAMPLE'
    'EX:%(session)s","arn":"arn:aws:sts::111122223333:assumed-role/%(role)s/%(session)s",'
    '"accountId":"111122223333","accessKeyId":"%(key_id)s","sessionContext":{"sessionIssuer":'
    '{"type":"Role","principalId":"AROAEXAMPLEEXAMPLEEX","arn":"arn:aws:iam::111122223333:role/'
    '%(role)s","accountId":"111122223333","userName":"%(role)s"},"attributes":{"creationDate":'
    '"2026-10-05T06:00:00Z","mfaAuthenticated":"false"}}},"eventTime":"%(time)s","eventSource":'
    '"s3.amazonaws.com","eventName":"%(name)s","awsRegion":"us-east-1","sourceIPAddress":"%(ip)s",'
    '"userAgent":"%(agent)s",%(error)s"requestParameters":{"bucketName":"%(bucket)s","Host":'
    '"%(bucket)s.s3.us-east-1.amazonaws.com","key":"%(key)s"%(range)s},"responseElements":null,'
    '"additionalEventData":{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256",'
    '"bytesTransferredIn":0,"AuthenticationMethod":"AuthHeader","x-amz-id-2":"%(id2)s",'
    '"bytesTransferredOut":%(bytes)s},"requestID":"%(request)s","eventID":"%(id)s","readOnly":'
    '%(read_only)s,"resources":[{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::%(bucket)s/%(key)s"}'
    ',{"accountId":"111122223333","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::%(bucket)s"}],'
    '"eventType":"AwsApiCall","managementEvent":false,"recipientAccountId":"111122223333",'
    '"vpcEndpointId":"vpce-0123456789abcdef0","vpcEndpointAccountId":"111122223333",'
    '"eventCategory":"Data","tlsDetails":{"tlsVersion":"TLSv1.3","cipherSuite":'
    '"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"%(bucket)s.s3.us-east-1.amazonaws.com"}}'
)
NAMES = ["GetObject"] * 14 + ["PutObject", "HeadObject", "HeadObject", "ListObjects", "UploadPart"]
AGENTS = (
    "[aws-cli/2.17.30 md/awscrt#0.21.2 ua/2.0 os/linux#6.1 lang/python#3.11.9]",
    "[Boto3/1.35.10 md/Botocore#1.35.10 ua/2.0 os/linux#6.1 lang/python#3.11.9]",
    "[S3ConnectorForPyTorch/1.2.5 torch/2.4.0 CRTS3NativeClient/0.1.x]",
)


def write_context(folder: Path) -> None:
    """Directory of 1,400 identities, 100 assets and a few networks."""
    folder.mkdir(parents=True, exist_ok=True)
    people = [
        (
            f"u{n:04d}",
            f"user{n}@example.com",
            f"User {n}",
            "human",
            f"team-{n % 20}",
            f"user{n}@example.com",
        )
        for n in range(PEOPLE)
    ]
    services = [
        (
            f"svc{n:03d}",
            "",
            f"Service {n}",
            "service",
            "platform",
            f"arn:aws:iam::{ACCOUNT}:role/service-{n}",
        )
        for n in range(SERVICES)
    ]
    with (folder / "directory.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            "user_id,email,display_name,kind,team,manager_id,title,employment,country,start_date,"
            "notice_date,end_date,aliases".split(",")
        )
        for user_id, email, name, kind, team, alias in people + services:
            writer.writerow([user_id, email, name, kind, team, "", "", "", "", "", "", "", alias])
    with (folder / "assets.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            "asset_id,kind,name,owner_team,sensitivity,objects,bytes,allowed_countries,pattern".split(
                ","
            )
        )
        for n in range(ASSETS):
            pattern = f"s3://lab-bucket-{n % 20}/run-{n}/step-{n * 100}/*"
            writer.writerow(
                [
                    f"ckpt-{n}",
                    "checkpoint",
                    f"ckpt {n}",
                    f"team-{n % 20}",
                    4,
                    SHARDS,
                    "",
                    "",
                    pattern,
                ]
            )
    (folder / "networks.csv").write_text(
        "cidr,zone,country,asn\n10.0.0.0/8,corp,US,64512\n10.128.0.0/9,datacenter,US,64512\n"
        "198.51.100.0/24,cloud,US,64496\n203.0.113.0/24,external,DE,64497\n"
    )


def write_records(folder: Path, count: int, seed: int, workers: int) -> dict[str, list[Path]]:
    """``count`` records as gz files in both framings: envelopes as delivered, and lines.

    One record in a hundred has a second delivery.
    """
    sizes = [RECORDS_PER_FILE] * (count // RECORDS_PER_FILE)
    if count % RECORDS_PER_FILE:
        sizes.append(count % RECORDS_PER_FILE)
    paths = {
        framing: folder / framing / DAY.replace("-", "/") for framing in ("envelopes", "lines")
    }
    for path in paths.values():
        path.mkdir(parents=True, exist_ok=True)
    jobs = [(paths["envelopes"], paths["lines"], n, size, seed) for n, size in enumerate(sizes)]
    with ProcessPoolExecutor(workers) as pool:
        list(pool.map(_write_file, jobs, chunksize=8))
    return {framing: sorted(path.glob("*.json.gz")) for framing, path in paths.items()}


def _write_file(job: tuple[Path, Path, int, int, int]) -> None:
    envelopes, lines, number, size, seed = job
    rng = random.Random(f"{seed}-{number}")
    records = [trail_record(rng) for _ in range(size - size // 100)]
    records += rng.sample(records, size - len(records))
    body = ",".join(records)
    pack(envelopes / f"f{number:05d}.json.gz", f'{{"Records":[{body}]}}')
    pack(lines / f"f{number:05d}.json.gz", "\n".join(records) + "\n")


def pack(path: Path, text: str) -> None:
    """Write a gzip file whose bytes depend only on the text."""
    with path.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as file:
        file.write(text.encode())


def trail_record(rng: random.Random) -> str:
    """One CloudTrail record as JSON."""
    bits = rng.getrandbits
    person = rng.random() < 0.6
    who = int(rng.paretovariate(0.7)) % (PEOPLE if person else SERVICES)
    asset = (who * 7 + int(rng.paretovariate(1.2))) % ASSETS
    known = rng.random() < 0.9
    seconds = rng.randrange(86_400)
    failed = rng.random() < 0.02
    name = NAMES[rng.randrange(len(NAMES))]
    ranged = name == "GetObject" and rng.random() < 0.3
    start = rng.randrange(64) << 27
    return RECORD % {
        "session": f"user{who}@example.com" if person else f"i-{who:017x}",
        "role": f"research-{who % 20}" if person else f"service-{who}",
        "key_id": f"ASIA{who * 31 + seconds // 21_600:016d}",
        "time": f"{DAY}T{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}Z",
        "name": name,
        "ip": f"10.{who % 4 * 40}.{who // 250}.{who % 250}",
        "agent": AGENTS[(who + (seconds > 80_000)) % 3],
        "error": '"errorCode":"AccessDenied","errorMessage":"Access Denied",' if failed else "",
        "bucket": f"lab-bucket-{asset % 20}",
        "key": f"run-{asset}/step-{asset * 100}/"
        f"model-{rng.randrange(SHARDS):05d}-of-{SHARDS:05d}.safetensors"
        if known
        else f"scratch/{who}/{rng.randrange(2000)}.npy",
        "range": f',"Range":"bytes={start}-{start + (1 << 27) - 1}"' if ranged else "",
        "id2": f"{bits(384):096x}",
        "bytes": 0 if failed else (1 << 27 if ranged else bits(28)),
        "request": f"{bits(64):016X}",
        "id": f"{bits(32):08x}-{bits(16):04x}-4{bits(12):03x}-a{bits(12):03x}-{bits(48):012x}",
        "read_only": "false" if name in ("PutObject", "UploadPart") else "true",
    }


def write_config(folder: Path, framing: str, engine: str) -> Path:
    """A job config for one framing and engine, with its own warehouse."""
    name = f"{framing}-{engine.split('[')[0]}"
    path = folder / f"{name}.yml"
    source = {
        "name": "trail",
        "format": "aws_cloudtrail",
        "path": f"{framing}/{{yyyy}}/{{mm}}/{{dd}}/*.json.gz",
    }
    config = {
        "sources": [source],
        "context": "context",
        "storage": f"warehouse-{name}",
        "engine": engine,
        "late_days": 0,
    }
    path.write_text(json.dumps(config))  # JSON is YAML
    return path
