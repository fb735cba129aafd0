"""Installing into Kibana: requests to a server that keeps to Kibana's contract."""

from __future__ import annotations

import base64
import email.parser
import email.policy
import http.server
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from jobs.cli import app as cli
from jobs.platform import kibana_server
from jobs.platform.errors import InputError, RunError
from jobs.platform.kibana_server import (
    KEY_VARIABLE,
    PASSWORD_VARIABLE,
    SHOWN_ERRORS,
    Kibana,
    build_objects,
    build_rule,
    install_objects,
    install_rule,
)
from schemas.kibana.site import Site

SECRET = "c2VjcmV0LW9mLXRoZS10ZXN0"
OBJECTS = "/api/saved_objects/_import"
RULES = "/api/detection_engine/rules/_import"


@dataclass
class FakeKibana:
    """Checks a request as Kibana does, keeps the imported objects, and sends the set answer."""

    url: str = ""
    spaces: tuple[str, ...] = ("default",)
    base_path: str = ""
    authorization: str | None = None
    answer: dict[str, Any] | None = None
    status: int = 200
    location: str | None = None
    imported: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)
    requests: int = 0

    def respond(self, method: str, target: str, headers: Any, body: bytes) -> tuple[int, Any]:
        self.requests += 1
        address = urlsplit(target)
        path, space = address.path.removeprefix(self.base_path), "default"
        if path.startswith("/s/"):
            _, _, space, rest = path.split("/", 3)
            path = f"/{rest}"
        if method != "POST" or path not in (OBJECTS, RULES) or space not in self.spaces:
            return 404, _error(404, "Not Found")
        if "kbn-xsrf" not in headers:
            return 400, _error(400, "Request must contain a kbn-xsrf header.")
        if headers.get("Authorization") != self.authorization:
            return 401, _error(401, "Unauthorized")
        if self.status != 200:
            return self.status, _error(self.status, "the server's words")
        if parse_qs(address.query) != {"overwrite": ["true"]}:
            return 400, _error(400, "overwrite expected")
        objects = _file(headers, body)
        self.imported[path, space] = objects
        if self.answer is not None:
            return 200, self.answer
        if path == OBJECTS:
            return 200, {"success": True, "successCount": len(objects), "warnings": []}
        counts = {"success": True, "success_count": len(objects), "rules_count": len(objects)}
        return 200, {**counts, "errors": [], "exceptions_success": True, "exceptions_errors": []}


def _error(status: int, message: str) -> dict[str, Any]:
    return {"statusCode": status, "error": "Error", "message": message}


def _file(headers: Any, body: bytes) -> list[dict[str, Any]]:
    """The objects in the part of the form that Kibana reads."""
    kind = headers["Content-Type"]
    parser = email.parser.BytesParser(policy=email.policy.HTTP)
    form = parser.parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
    assert form.get_content_type() == "multipart/form-data"
    (part,) = form.iter_parts()
    disposition = part["Content-Disposition"]
    assert disposition.params["name"] == "file"
    assert disposition.params["filename"].endswith(".ndjson")
    text = part.get_payload(decode=True).decode()
    return [json.loads(line) for line in text.splitlines() if line]


@contextmanager
def serve(fake: FakeKibana, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Serve on loopback; yields the address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, answer = fake.respond(self.command, self.path, self.headers, body)
            text = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            if fake.location is not None:
                self.send_header("Location", fake.location)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PUT = handle_any

        def log_message(self, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"{'http' if tls is None else 'https'}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def kibana() -> Iterator[FakeKibana]:
    fake = FakeKibana()
    with serve(fake) as fake.url:
        yield fake


def test_objects_are_imported_into_the_space(
    kibana: FakeKibana, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, SECRET)
    kibana.authorization = f"ApiKey {SECRET}"
    kibana.spaces, kibana.base_path = ("hr",), "/kibana"
    site = Site("lab", "hr")
    sent = [json.loads(line) for line in build_objects(site).splitlines()]
    assert install_objects(Kibana(f"{kibana.url}/kibana/"), site) == len(sent)
    assert kibana.imported == {(OBJECTS, "hr"): sent}
    install_objects(Kibana(f"{kibana.url}/kibana"), site)
    assert kibana.imported == {(OBJECTS, "hr"): sent}


def test_rule_is_imported_with_the_address_it_links_to(
    kibana: FakeKibana, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, SECRET)
    monkeypatch.setenv(KEY_VARIABLE, "not this one")
    pair = base64.b64encode(f"ana:{SECRET}".encode()).decode()
    kibana.authorization = f"Basic {pair}"
    install_rule(Kibana(kibana.url, username="ana"), Site())
    (rule,) = kibana.imported[RULES, "default"]
    assert rule == json.loads(build_rule(Site(), kibana.url))
    assert rule["references"][0].startswith(f"{kibana.url}/app/dashboards#/view/")


def test_command_installs_both(
    kibana: FakeKibana, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    arguments = ["kibana", "install", "--url", kibana.url]
    assert cli.main(arguments) == 0
    assert set(kibana.imported) == {(OBJECTS, "default")}
    assert cli.main([*arguments, "--with-rule"]) == 0
    assert set(kibana.imported) == {(OBJECTS, "default"), (RULES, "default")}
    message = capsys.readouterr().out
    number = len(build_objects(Site()).splitlines())
    assert f"{number} objects are in Kibana at {kibana.url}, space default" in message
    assert "the detection rule is in Elastic Security" in message


def test_command_builds_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "objects.ndjson"
    assert cli.main(["kibana", "build", "--prefix", "lab", "--out", str(file)]) == 0
    assert file.read_text(encoding="utf-8") == build_objects(Site("lab"))
    capsys.readouterr()
    assert cli.main(["kibana", "build", "--prefix", "lab"]) == 0
    assert capsys.readouterr().out == build_objects(Site("lab"))
    url = "https://kibana.example"
    assert cli.main(["kibana", "rule", "--url", url, "--space", "hr"]) == 0
    assert capsys.readouterr().out == build_rule(Site(space="hr"), url)
    assert cli.main(["kibana", "build", "--out", str(tmp_path / "no" / "folder")]) == 2
    assert cli.main(["kibana", "build", "--prefix", "Lab", "--space", "../x"]) == 2
    message = capsys.readouterr().err
    assert "there is no folder" in message
    assert "--prefix 'Lab'" in message
    assert "--space '../x'" in message


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, "check the API key in " + KEY_VARIABLE),
        (403, "needs the Kibana privileges Saved Objects Management: All"),
        (404, "check --url"),
        (409, "try again"),
        (413, "too large"),
        (422, "8.19 or later is needed"),
        (500, "Kibana's own log"),
    ],
)
def test_a_refusal_names_the_remedy(
    kibana: FakeKibana,
    status: int,
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, SECRET)
    kibana.authorization, kibana.status = f"ApiKey {SECRET}", status
    assert cli.main(["kibana", "install", "--url", kibana.url, "-v"]) == 1
    said = capsys.readouterr().err
    assert f"Kibana at {kibana.url} answered {status}: " in said
    assert message in said
    assert "(the server's words)" in said
    assert SECRET not in said
    assert kibana.imported == {}


def test_a_missing_space_is_named(kibana: FakeKibana) -> None:
    with pytest.raises(RunError, match="that the space hr exists"):
        install_objects(Kibana(kibana.url), Site(space="hr"))


def test_wrong_credentials_are_named(kibana: FakeKibana, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, SECRET)
    kibana.authorization = "Basic other"
    with pytest.raises(RunError, match=f"--username and {PASSWORD_VARIABLE}") as raised:
        install_objects(Kibana(kibana.url, username="ana"), Site())
    assert SECRET not in str(raised.value)


def test_success_false_is_no_success(kibana: FakeKibana) -> None:
    """Kibana answers 200 even if it imported only a part."""
    refused = {"type": "dashboard", "id": "x-0", "title": "T"}
    missing = {"references": [{"type": "index-pattern", "id": "gone"}]}
    errors = [
        {**refused, "error": {"type": "missing_references", **missing}},
        {**refused, "id": "x-1", "error": {"type": "unsupported_type"}},
        {**refused, "id": "x-2", "error": {"type": "unknown", "message": "a\nb", "statusCode": 4}},
        *({**refused, "id": f"y-{n}", "error": {"type": "conflict"}} for n in range(SHOWN_ERRORS)),
    ]
    kibana.answer = {"success": False, "successCount": 3, "errors": errors}
    with pytest.raises(RunError) as raised:
        install_objects(Kibana(kibana.url), Site())
    lines = str(raised.value).splitlines()
    assert lines[1:4] == [
        "  dashboard x-0: missing_references (needs index-pattern gone)",
        "  dashboard x-1: unsupported_type",
        "  dashboard x-2: unknown (a b)",
    ]
    assert lines[-1] == "  … and 3 more"
    error = {"status_code": 400, "message": "no such index"}
    kibana.answer = {
        "success": False,
        "errors": [{"rule_id": "exfilwatch-finding", "error": error}],
    }
    with pytest.raises(RunError, match=r"exfilwatch-finding: no such index \(400\)"):
        install_rule(Kibana(kibana.url), Site())


@pytest.mark.parametrize("answer", [{"took": 3}, [], b"<html>", {"success": "yes", "errors": None}])
def test_an_unknown_answer_is_no_success(kibana: FakeKibana, answer: Any) -> None:
    kibana.answer = answer
    with pytest.raises(RunError):
        install_objects(Kibana(kibana.url), Site())


def test_a_long_answer_is_read_up_to_a_limit(
    kibana: FakeKibana, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kibana_server, "MAX_ANSWER_BYTES", 1000)
    kibana.answer = {"success": True, "successCount": 1, "warnings": ["x" * 1000]}
    with pytest.raises(RunError, match="larger than 1,000 bytes"):
        install_objects(Kibana(kibana.url), Site())


def test_a_proxy_in_the_environment_gets_no_credentials(
    kibana: FakeKibana, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, SECRET)
    kibana.authorization = f"ApiKey {SECRET}"
    proxy = FakeKibana()
    with serve(proxy) as address:
        monkeypatch.setenv("HTTP_PROXY", address)
        monkeypatch.setenv("ALL_PROXY", address)
        install_objects(Kibana(kibana.url), Site())
    assert proxy.requests == 0


def test_credentials_follow_no_redirect(
    kibana: FakeKibana, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = FakeKibana()
    monkeypatch.setenv(KEY_VARIABLE, SECRET)
    kibana.authorization, kibana.status = f"ApiKey {SECRET}", 302
    with serve(other) as kibana.location, pytest.raises(RunError) as raised:
        install_objects(Kibana(kibana.url), Site())
    assert f"sends us to {kibana.location}; give the final address" in str(raised.value)
    assert kibana.requests == 1
    assert other.requests == 0


@pytest.mark.parametrize(
    ("url", "username", "variables", "message"),
    [
        ("kibana.example:5601", None, {}, "expected https://host:5601"),
        ("ftp://kibana.example", None, {}, "expected https://host:5601"),
        ("https://kibana.example:port", None, {}, "expected https://host:5601"),
        ("https://kibana.example/?a=b", None, {}, "expected https://host:5601"),
        ("https://ana:pw@kibana.example", None, {}, "holds credentials"),
        ("http://kibana.example:5601", None, {KEY_VARIABLE: SECRET}, "unencrypted; use https"),
        ("http://kibana.example", "ana", {PASSWORD_VARIABLE: SECRET}, "unencrypted; use https"),
        ("https://kibana.example", "ana", {}, f"{PASSWORD_VARIABLE} is not set"),
        ("https://kibana.example", None, {KEY_VARIABLE: f"{SECRET}\n"}, "holds a line break"),
    ],
)
def test_unusable_settings_are_refused_before_a_request(
    url: str,
    username: str | None,
    variables: dict[str, str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in (KEY_VARIABLE, PASSWORD_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError) as raised:
        install_objects(Kibana(url, username), Site())
    assert message in str(raised.value)
    assert SECRET not in str(raised.value)
    assert "ana:pw" not in str(raised.value)


def test_certificates_are_checked(tmp_path: Path) -> None:
    from tests.worlds.elastic_server import certificates

    authority, certificate, key = certificates()
    other, _, _ = certificates()
    for name, text in {"ca": authority, "other": other, "pair": key + certificate}.items():
        (tmp_path / f"{name}.pem").write_text(text)
    (tmp_path / "none.pem").write_text("no certificate")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "pair.pem")
    fake = FakeKibana()
    with serve(fake, tls) as url:
        assert install_objects(Kibana(url, ca_certs=tmp_path / "ca.pem"), Site()) > 10
        before = fake.requests
        for name in ("other", None):
            file = None if name is None else tmp_path / f"{name}.pem"
            with pytest.raises(RunError, match=r"no trusted TLS connection .*--ca-certs"):
                install_objects(Kibana(url, ca_certs=file), Site())
        for name in ("none", "missing"):
            with pytest.raises(InputError, match="no PEM file of certificates"):
                install_objects(Kibana(url, ca_certs=tmp_path / f"{name}.pem"), Site())
    assert fake.requests == before


def test_an_unreachable_server_is_named() -> None:
    with pytest.raises(RunError, match=r"http://127\.0\.0\.1:1 cannot be reached .*check --url"):
        install_objects(Kibana("http://127.0.0.1:1"), Site())
