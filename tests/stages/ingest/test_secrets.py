"""No secret that a log holds by accident stays in the tables, on either engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jobs.stages.ingest.secrets import MASKED_COLUMNS, masked
from schemas.tables.events import EVENTS, REJECTS
from tests.worlds.raw_logs import DAY, job_config, rows_of, run_ingest, write_file

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
