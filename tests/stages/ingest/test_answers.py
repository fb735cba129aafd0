"""Names, folders, addresses and keys of a day stay with the engine, however many there are."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pyspark import cloudpickle

from jobs.inputs.context import load_context
from jobs.platform.delta_tables import read_days
from jobs.platform.engine import carry_our_code
from jobs.stages.ingest import answers
from jobs.stages.ingest.answers import (
    ASSET,
    IDENTITY,
    NETWORK,
    finder_of_assets,
    finder_of_identities,
    finder_of_networks,
    worker,
)
from jobs.stages.ingest.sessions import MAX_SESSION_HOPS
from schemas.tables.events import EVENTS
from tests.worlds.day_logs import DATED, DAYS, put
from tests.worlds.raw_logs import DAY, job_config, run_ingest, write_context

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

RECORDS = 20_000
FEW = 9
RECORD = (
    '{"eventVersion":"1.10","eventID":"id-%(n)06d","eventTime":"%(day)sT10:00:00Z","eventSource":'
    '"sts.amazonaws.com","eventName":"AssumeRole","sourceIPAddress":"2001:db8::%(n)x","userIdentity'
    '":{"type":"IAMUser","arn":"arn:aws:iam::111122223333:user/u-%(n)06d","userName":"u-%(n)06d",'
    '"accountId":"111122223333","accessKeyId":"ASIA%(before)06d"},"requestParameters":{"roleArn":'
    '"s3://lab/%(n)06d/x"},"responseElements":{"credentials":{"accessKeyId":"ASIA%(n)06d"}},'
    '"recipientAccountId":"111122223333"}\n'
)
"""One record of a day on which every name, address and key is another one."""
ELSEWHERE = """
import pickle, sys
class Without:
    def find_spec(self, name, *_):
        if name.partition(".")[0] in ("jobs", "models", "schemas", "yaml", "pydantic"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Without())
import pyarrow as pa
for work, keys in pickle.load(sys.stdin.buffer):
    columns = [pa.array(column) for column in zip(*keys)]
    names = [str(number) for number in range(len(columns))]
    print(*(row for batch in work([pa.RecordBatch.from_arrays(columns, names)])
        for row in batch.to_pylist()))
"""


class Wire:
    """The calls to an engine's server, with the bytes of all messages of both directions."""

    def __init__(self, call: Any) -> None:
        self.call = call
        self.bytes = 0

    def __call__(self, request: Any, **options: Any) -> Iterator[Any]:
        self.bytes += request.ByteSize()
        for answer in self.call(request, **options):
            self.bytes += answer.ByteSize()
            yield answer


def test_values_of_a_day_do_not_pass_through_the_driver(
    sail: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thief who makes up names, addresses and keys does not fill the driver's memory.

    Each key of the first day was asked for with the key before it. The second day looks back.
    """
    people = [{"user_id": "u-ana", "kind": "human", "aliases": f"u-000000;u-{RECORDS:06d}"}]
    networks = [{"cidr": "2001:db8::/32", "zone": "external", "country": "DE"}]
    write_context(tmp_path / "context", directory=people, networks=networks)
    for day, numbers in ((DAYS[0], range(RECORDS)), (DAYS[1], range(RECORDS, RECORDS + FEW))):
        values = ({"n": n, "before": max(0, n - 1) % RECORDS, "day": day} for n in numbers)
        put(tmp_path, day, "".join(RECORD % each for each in values))
    config = job_config(tmp_path, [{"path": DATED}], late_days=0)
    wire = Wire(sail.client._stub.ExecutePlan)  # type: ignore[attr-defined]
    monkeypatch.setattr(sail.client._stub, "ExecutePlan", wire)  # type: ignore[attr-defined]
    # Few answers are sent to all executors, many are not.
    monkeypatch.setattr(answers, "FEW_ROWS", RECORDS // 2)
    sent = []
    for day in DAYS[:2]:
        wire.bytes = 0
        run_ingest(sail, config, day)
        sent.append(wire.bytes)
    assert abs(sent[0] - sent[1]) < RECORDS, "a byte a record is less than any of its values"
    stored = read_days(sail, config.storage, EVENTS, DAYS[1], 1)
    assert stored.where("zone = 'external' and country = 'DE'").count() == RECORDS + FEW
    known = stored.where("user_id = 'u-ana'").select("principal").collect()
    named = sorted(int(row.principal[-6:]) for row in known)
    first = range(MAX_SESSION_HOPS + 2)
    assert named == [*first, *range(RECORDS, RECORDS + len(first) + 1)]


def test_functions_for_workers_carry_our_code(tmp_path: Path) -> None:
    """Executors have Python with pandas and pyarrow, and no package of ours."""
    ana = {"user_id": "u-ana", "kind": "human", "email": "ana@example.com"}
    asset = {"asset_id": "ckpt", "kind": "checkpoint", "pattern": "s3://lab/*"}
    network = {"cidr": "192.0.2.0/24", "zone": "corp", "country": "US"}
    folder = tmp_path / "context"
    write_context(folder, directory=[ana], assets=[asset], networks=[network])
    config = job_config(tmp_path, [{"path": DATED}])
    context = load_context(config.context, DAY)
    carry_our_code()
    jobs = [
        (worker(finder_of_networks(context), NETWORK), [("192.0.2.7",), ("unknown",)]),
        (worker(finder_of_assets(context, config), ASSET), [("s3://lab/run/",), ("s3://b/",)]),
        (
            worker(finder_of_identities(context, config, []), IDENTITY),
            [("logs", "ANA@example.com", "aws_cloudtrail"), ("logs", "bo", "aws_cloudtrail")],
        ),
    ]
    program = [sys.executable, "-I", "-c", ELSEWHERE]
    done = subprocess.run(program, input=cloudpickle.dumps(jobs), capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    network_row, asset_row, identity_row = map(ast.literal_eval, done.stdout.decode().splitlines())
    assert network_row == {"source_ip": "192.0.2.7", "zone": "corp", "country": "US", "asn": ""}
    assert asset_row == {"lookup": "s3://lab/run/", "asset_id": "ckpt", "prefix_chars": 9}
    assert identity_row["alias_user"] == "u-ana"
    assert "email_case" in identity_row["alias_note"]
