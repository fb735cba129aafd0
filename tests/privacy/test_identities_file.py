"""The key, the file of identities by pseudonym, and the log of unmaskings."""

from __future__ import annotations

import json
import stat
import time
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jobs.cli import app as cli
from jobs.inputs.config import load_config
from jobs.platform.documents import install_templates, send
from jobs.platform.elasticsearch import connect, session
from jobs.platform.errors import InputError, RunError
from jobs.privacy.identities_file import append_lines, read_identities
from jobs.review.unmasking import unmask
from schemas.elasticsearch.indices import (
    IDENTITIES,
    PRIVATE_INDICES,
    UNMASKINGS,
    Index,
    search_name,
)
from tests.worlds.masked_people import KEY, KEY_VARIABLE, as_, of, people, write_directory
from tests.worlds.published import inputs_of

if TYPE_CHECKING:
    from schemas.config import Elasticsearch
    from tests.worlds.elastic_server import SecureServer

pytest_plugins = ("tests.worlds.elastic_server",)

LAST_DAY = date(2026, 10, 30)


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A job with pseudonyms on."""
    monkeypatch.setenv(KEY_VARIABLE, KEY.decode())
    (tmp_path / "raw").mkdir()
    (tmp_path / "context").mkdir()
    write_directory(tmp_path / "context" / "directory.csv", people().to_dict("records"))
    path = tmp_path / "job.yml"
    path.write_text(
        "sources: [{name: s3, format: aws_cloudtrail, path: raw/*.gz}]\n"
        "privacy: {pseudonymize: true}\n"
    )
    return path


@pytest.mark.parametrize("key", [None, "", "short"])
def test_a_run_without_a_good_key_does_not_begin(
    key: str | None, job: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if key is None:
        monkeypatch.delenv(KEY_VARIABLE)
    else:
        monkeypatch.setenv(KEY_VARIABLE, key)
    assert cli.main(["run", "--config", str(job), "--day", "2026-10-30"]) == 2
    message = capsys.readouterr().err
    assert KEY_VARIABLE in message
    assert "32 bytes" in message
    assert not (job.parent / "warehouse").exists()
    assert cli.main(["doctor", "--config", str(job)]) == 1
    assert (
        f"missing  pseudonyms: privacy.pseudonymize is on: the environment variable {KEY_VARIABLE}"
        in (capsys.readouterr().out)
    )
    config = load_config(job)
    with pytest.raises(InputError, match="pseudonymize is on"):
        _ = inputs_of(config, LAST_DAY).names


def test_the_file_of_identities_is_not_in_the_output_folder(job: Path) -> None:
    job.write_text(job.read_text() + "output: out/\n")
    text = job.read_text().replace("pseudonymize: true", "pseudonymize: true, identities: out/ids")
    job.write_text(text)
    with pytest.raises(InputError, match=r"job\.yml:2: privacy\.identities: must not lie in"):
        load_config(job)


def test_lines_are_appended_to_a_private_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "log.jsonl"
    append_lines(path, [{"a": 1}])
    append_lines(path, [{"a": 2}, {"a": 3}])
    assert path.read_text() == '{"a": 1}\n{"a": 2}\n{"a": 3}\n'
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    path.write_text('{"a": 1}\n{"a": ')  # a run that was killed
    append_lines(path, [{"a": 2}])
    assert path.read_text() == '{"a": 1}\n{"a": \n{"a": 2}\n'
    path.chmod(0o640)
    with pytest.raises(RunError, match="chmod 600"):
        append_lines(path, [{"a": 4}])


def test_unmasking_is_logged_before_the_identity_is_printed(
    job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = load_config(job)
    inputs_of(config, LAST_DAY).context(LAST_DAY)
    before = read_identities(config)
    inputs_of(config, LAST_DAY).context(LAST_DAY)
    assert read_identities(config) == before
    ask = [
        "unmask",
        as_("zquill"),
        "--config",
        str(job),
        "--by",
        "p.officer",
        "--reason",
        "case 17",
    ]
    assert cli.main(ask) == 0
    assert capsys.readouterr().out == "u1, Zara Quillfeather, zara.quillfeather@lab.example\n"
    log = Path(config.privacy.identities) / "unmaskings.jsonl"
    logged = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["exfil"] for line in logged] == [
        {"pseudonym": of("u1"), "unmask_by": "p.officer", "unmask_reason": "case 17"}
    ]
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    log.chmod(0o644)
    assert cli.main(ask) == 1
    captured = capsys.readouterr()
    assert "Quillfeather" not in captured.out + captured.err
    log.unlink()
    log.mkdir()
    assert cli.main(ask) == 1
    captured = capsys.readouterr()
    assert "Quillfeather" not in captured.out + captured.err


def test_unmasking_needs_a_reason_and_a_known_pseudonym(job: Path) -> None:
    config = load_config(job)
    with pytest.raises(InputError) as raised:
        unmask(config, "user-AAAAAAAAAAAAAAAA", " ", "")
    assert len(raised.value.problems) == 3
    assert not Path(config.privacy.identities).exists()


def test_only_the_privacy_officer_reads_identities(
    job: Path, secure_elasticsearch: SecureServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = secure_elasticsearch
    monkeypatch.setenv("EXFILWATCH_ES_PASSWORD", server.password)
    config = load_config(job)
    inputs = inputs_of(config, LAST_DAY)
    inputs.context(LAST_DAY)

    def settings(user: str) -> Elasticsearch:
        return config.elasticsearch.model_copy(
            update={"url": server.url, "username": user, "ca_certs": server.ca_certs}
        )

    def read(user: str, index: Index) -> list[dict[str, Any]]:
        with session(settings(user), user, "nothing") as client:
            name = search_name(index, config.elasticsearch.prefix)
            found = client.search(index=name, size=100)["hits"]["hits"]
            return [hit["_source"]["exfil"] for hit in found]

    with session(settings("pipeline"), "pipeline", "nothing") as client:
        install_templates(client, config.elasticsearch.prefix, PRIVATE_INDICES)
        first = send(client, config.elasticsearch.prefix, IDENTITIES, inputs.identities())
        again = send(client, config.elasticsearch.prefix, IDENTITIES, inputs.identities())
    assert first.written == again.kept == len(inputs.identities()) > 0
    for user in ("analyst", "investigator", "pipeline"):
        with pytest.raises(RunError, match="403"):
            read(user, IDENTITIES)
        asker = config.model_copy(update={"elasticsearch": settings(user)})
        with pytest.raises(RunError, match="403"):
            unmask(asker, of("u1"), "a.curious", "just so")
    officer = config.model_copy(update={"elasticsearch": settings("privacy_officer")})
    assert unmask(officer, of("u1"), "p.officer", "case 17").startswith("u1, Zara Quillfeather")
    with connect(settings("privacy_officer")) as client:
        # The server makes new documents visible every second.
        for _ in range(50):
            if client.count(index="exfilwatch-unmaskings", ignore_unavailable=True)["count"]:
                break
            time.sleep(0.2)
    assert {"pseudonym": of("u1"), "identity": "u1", "identity_kind": "user"} in read(
        "privacy_officer", IDENTITIES
    )
    assert read("privacy_officer", UNMASKINGS) == [
        {"pseudonym": of("u1"), "unmask_by": "p.officer", "unmask_reason": "case 17"}
    ]
