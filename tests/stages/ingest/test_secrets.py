"""No secret that a log holds by accident stays in the tables, on either engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jobs.stages.ingest.secrets import MASKED_COLUMNS, masked
from schemas.tables.events import EVENTS, REJECTS
from tests.worlds.raw_logs import DAY, job_config, rows_of, run_ingest, write_file
from tests.worlds.sample_records import NOON, minio

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

PEM = "-----BEGIN RSA PRIVATE KEY-----\nHIDDEN\nHID+DEN=\n-----END RSA PRIVATE KEY-----"
JWT = "eyJhbGciOiJI.eyJzdWIiOiIxHIDDEN.HIDDEN_x"
SECRETS = [
    "Authorization: Bearer HIDDEN.hidden",
    "authorization=Basic HIDDEN==",
    '{"password": "HIDDEN with spaces HIDDEN"}',
    r'{"password":"HIDDEN\"HIDDEN"}',
    '"body":"{\\"api_key\\":\\"HIDDEN\\",\\"x\\":1}"',
    "https://user:HIDDEN@example.com/x",
    "?X-Amz-Signature=HIDDEN&x=1",
    "?x=1&X-Amz-Security-Token=HIDDEN%2F&x=1",
    "?sp=r&sig=HIDDEN%2F&sv=1",
    "?token=HIDDEN",
    "sessionToken=HIDDEN==",
    "secretAccessKey: HIDDEN/x+y",
    "export AWS_SECRET_ACCESS_KEY=HIDDEN/x+y",
    "curl --token HIDDEN --x",
    "mysql --password HIDDEN",
    "tool --api-key 'HIDDEN' --x",
    "tool --client-secret=HIDDEN",
    "PASSWORD=HIDDEN",
    "first line\nDB_PASSWD=HIDDEN\nlast line",
    "'client_secret': 'HIDDEN'",
    "client_secret:HIDDEN",
    "private_key=HIDDEN",
    "-H X-Api-Key:HIDDEN",
    "env:PASSWORD=HIDDEN",
    f"key {PEM} more",
    "-----BEGIN PRIVATE KEY-----\nHIDDEN cut off",
    f"x {JWT} x",
    f"line\n{JWT}",
    "ghp_HIDDENHIDDENHIDDENHIDDEN",
    "a\tghp_HIDDENHIDDENHIDDENHIDDEN",
    "github_pat_HIDDENHIDDENHIDDENHIDDEN",
    "glpat-HIDDENHIDDENHIDDEN",
    "hf_HIDDENHIDDENHIDDEN",
    "sk-HIDDENHIDDENHIDDEN",
    "sk-proj-HIDDEN-HIDDEN_HIDDEN",
    "xoxb-HIDDENHIDDENHIDDEN",
]
HARMLESS = [
    "k8s://prod-east/serving/serviceaccounts/loader/token",
    "k8s://prod-east/serving/secrets/db",
    "secrets",
    "s3://lab-ckpt/tokenizer/a/token.json",
    "s3://sk-training-checkpoints-prod/hf_llama_checkpoint_shards/x",
    "aws://111122223333/secretsmanager/arn:aws:secretsmanager:us-east-1:111122223333:secret:prod/x",
    "model://token:latest",
    "docker://192.0.2.1:5000/images/token:latest",
    "host://ana@example.com",
    'tokens: 5, "max" and \\ "odd" {}',
    "aws-cli/2.15.0 md/credentials-source#sso",
]
PLAIN = "HIDD", "HID+"


def put_everywhere(folder: Path, texts: list[str]) -> dict[str, list[str]]:
    """A mapped log with each of the texts in all columns that may hold one; what it says."""
    columns = [name for name in MASKED_COLUMNS if name != "details"]
    records = [
        {"at": f"{DAY}T10:00:00Z", "who": "u0017", "did": "read", "text": text, "id": f"{number}"}
        for number, text in enumerate(texts)
    ]
    write_file(folder / "raw/a.ndjson", "\n".join(map(json.dumps, records)))
    mapping = {"time": "at", "principal": "who", "action": "did", "event_id": "id"}
    mapping |= dict.fromkeys(columns, "text")
    details = {"command": "text", "before": "did"}
    source = {"format": "mapped", "path": "raw/*", "mapping": {**mapping, "details": details}}
    return {"columns": columns, "source": [json.dumps(source)]}


@pytest.mark.parametrize("engine", ["sail", "apache_spark"])
def test_events_hold_no_secret(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Neither in columns of text nor in details; harmless text is unchanged."""
    session: SparkSession = request.getfixturevalue(engine)
    made = put_everywhere(tmp_path, [*SECRETS, *HARMLESS])
    config = job_config(tmp_path, [json.loads(made["source"][0])])
    assert run_ingest(session, config)["events"] == len(SECRETS) + len(HARMLESS)
    problems = []
    for row in rows_of(session, config, EVENTS):
        number = int(row["event_id"])
        text = [*SECRETS, *HARMLESS][number]
        values = {name: row[name] for name in made["columns"]} | row["details"]
        assert row["details"]["before"] == "read"
        for name, value in values.items():
            if name == "before":
                continue
            named = "sk-training" in text and name in ("user_agent", "command")
            if number >= len(SECRETS) and value != text and not named:
                problems.append(f"{name}: {text!r} became {value!r}")
            elif number < len(SECRETS) and (
                any(part in value for part in PLAIN) or "*" not in value
            ):
                problems.append(f"{name}: {text!r} is {value!r}")
    assert not problems, "\n".join(problems)


def test_rejects_hold_no_secret(sail: SparkSession, tmp_path: Path) -> None:
    """The same kinds, in records that are no events."""
    put_everywhere(tmp_path, ["nothing"])
    bad = [json.dumps({"at": "soon", "who": "u0017", "text": text}) for text in SECRETS]
    write_file(tmp_path / "raw/bad.ndjson", "\n".join(bad))
    source = json.loads(put_everywhere(tmp_path, ["nothing"])["source"][0])
    config = job_config(tmp_path, [source])
    assert run_ingest(sail, config)["rejects"] == len(SECRETS)
    lines = [row["line"] for row in rows_of(sail, config, REJECTS)]
    assert [line for line in lines if any(part in line for part in PLAIN)] == []


def test_masking_long_texts_takes_no_longer_than_they_are_long(sail: SparkSession) -> None:
    """Texts made of what begins a secret; Java would recurse for each turn of a group."""
    pieces = ("-eyJ", "token=\\\\", "a://b:", '\\"password\\":\\"', "-----BEGIN ", "x_token_")
    rows = [(piece * (100_000 // len(piece)),) for piece in pieces]
    for column in MASKED_COLUMNS:
        frame = sail.createDataFrame(rows, f"{column} string")
        assert frame.selectExpr(f"{masked(column)} as text").where("text is null").count() == 0


S3_SECRET = "wJalrXUtnFEMIK7MDENGbPxRfiCYHIDDENHIDDEN"
TYPED = [
    S3_SECRET, f"{S3_SECRET[:30]}+/{S3_SECRET[32:]}", "HIDDEN+9a" * 9 + "HIDDE==", JWT,
    "ghp_HIDDENHIDDENHIDDENHIDDEN", "sk-HIDDENHIDDENHIDDEN1",
]  # fmt: skip
NAMES = [
    "AKIAIOSFODNN7EXAMPLE", "3d4f2b1c" * 5, "a very long name of a machine in the lab 0001",
    "9Xn5cgHH0vqAErwYgDV2mGnGQVEmDGB0YGnuXyzwPaI=", "ana.silva@lab-of-machines.example.com",
    "arn:aws:iam::111122223333:user/Ana0123456789Ana0123456789",
]  # fmt: skip


@pytest.mark.parametrize("engine", ["sail", "apache_spark"])
def test_what_a_refused_caller_typed_as_a_name_is_no_secret(
    engine: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """A secret in the place of an id, in any format; names of people and keys stay."""
    records = [
        {"at": f"{DAY}T10:00:00Z", "who": text, "key": text, "as": text, "did": "read",
         "how": how, "id": f"{how} {number}", "what": "s3://lab/x"}
        for number, text in enumerate([*TYPED, *NAMES]) for how in ("failure", "success")
    ]  # fmt: skip
    write_file(tmp_path / "raw/a.ndjson", "\n".join(map(json.dumps, records)))
    mapping = {"time": "at", "principal": "who", "action": "did", "event_id": "id"}
    mapping |= {"resource": "what", "credential": "key", "acting_as": "as", "outcome": "how"}
    mapping["outcome_values"] = {each: each for each in ("failure", "success")}
    source = {"format": "mapped", "path": "raw/*", "mapping": mapping}
    session: SparkSession = request.getfixturevalue(engine)
    config = job_config(tmp_path, [source])
    run_ingest(session, config)
    found = {row["event_id"]: row for row in rows_of(session, config, EVENTS)}
    assert len(found) == len(records)
    for number, text in enumerate([*TYPED, *NAMES]):
        columns = ("principal", "user_id", "acting_as", "credential")
        refused = {found[f"failure {number}"][name] for name in columns}
        assert refused == {"***" if text in TYPED else text}
        assert {found[f"success {number}"][name] for name in columns} == {text}


@pytest.mark.parametrize("engine", ["sail", "apache_spark"])
def test_a_key_that_minio_does_not_know_names_nobody(
    engine: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Somebody types a short secret in the place of the key; a known key stays."""
    refused = [
        {"error": "The Access Key Id you provided does not exist in our records."},
        {"error": "InvalidAccessKeyId"},
        {"api": {"name": "GetObject", "bucket": "b", "status": "InvalidAccessKeyId"}},
        {"error": "Access Denied."},
    ]
    records = [
        minio(number, NOON) | {"accessKey": "hidden-1"} | more
        for number, more in enumerate(refused)
    ]
    for record in records:
        record["api"] = {**record["api"], "statusCode": 403}
    odd = minio(9, NOON) | {"time": "soon", "accessKey": "hidden-1", "secretKey": "hidden-1"}
    write_file(tmp_path / "raw/a.ndjson", "\n".join(map(json.dumps, [*records, odd])))
    session: SparkSession = request.getfixturevalue(engine)
    config = job_config(tmp_path, [{"format": "minio_audit", "path": "raw/*"}])
    run_ingest(session, config)
    *unknown, known = rows_of(session, config, EVENTS)
    assert [row["principal"] for row in unknown] == ["anonymous"] * 3
    assert "hidden" not in json.dumps(unknown, default=str)
    assert (known["principal"], known["credential"]) == ("hidden-1", "hidden-1")
    (line,) = [row["line"] for row in rows_of(session, config, REJECTS)]
    assert "hidden" not in line
