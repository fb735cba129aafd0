"""Reaching Elasticsearch: addresses, settings, API keys, users, certificates, privileges."""

from __future__ import annotations

import threading
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jobs.platform.documents import Sent
from jobs.platform.elasticsearch import connect
from jobs.platform.errors import RunError
from schemas.elasticsearch.templates import TEMPLATE_VERSION
from tests.worlds.publishing import (
    KEY_VARIABLE,
    PASSWORD_VARIABLE,
    SECRET,
    findings,
    publish_findings,
    settings_for,
)
from tests.worlds.sample_findings import DAY

if TYPE_CHECKING:
    from tests.worlds.elastic_server import SecureServer

pytest_plugins = ("tests.worlds.elastic_server",)


def test_an_unreachable_server_is_named() -> None:
    with pytest.raises(RunError, match=r"http://127\.0\.0\.1:1 cannot be reached .*check"):
        publish_findings(settings_for("http://127.0.0.1:1"), findings(1))


def test_another_server_is_not_taken_for_elasticsearch(tmp_path: Path) -> None:
    import http.server

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        with pytest.raises(RunError, match="Elasticsearch at"):
            publish_findings(settings_for(f"http://127.0.0.1:{server.server_port}"), findings(1))
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("url", "changes", "variables", "message"),
    [
        ("http://es.example:9200", {}, {KEY_VARIABLE: SECRET}, "unencrypted; use https"),
        (
            "http://es.example:9200",
            {"username": "pipeline"},
            {PASSWORD_VARIABLE: SECRET},
            "unencrypted; use https",
        ),
        ("https://es.example:9200", {"username": "pipeline"}, {}, PASSWORD_VARIABLE),
        ("https://es.example:9200", {"ca_certs": "/no/such.pem"}, {}, "/no/such.pem is not a file"),
        ("http://es.example:port", {}, {}, "expected https://host:9200"),
    ],
)
def test_unusable_settings_are_refused(
    url: str,
    changes: dict[str, str],
    variables: dict[str, str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with (
        pytest.raises(RunError) as raised,
        connect(settings_for(url, **changes)),
    ):
        pass
    assert message in str(raised.value)
    assert SECRET not in str(raised.value)


def test_api_key_is_sent_in_the_header(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test server knows no API keys, so the test reads the sent header."""
    monkeypatch.setenv(KEY_VARIABLE, SECRET)
    with connect(settings_for("https://es.example")) as client:
        assert client._headers["authorization"] == f"ApiKey {SECRET}"
        node = next(iter(client.transport.node_pool.all()))
        assert node.config.port == 443
        assert node.config.verify_certs


def test_users_certificates_and_privileges(
    secure_elasticsearch: SecureServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TLS and the documented least privileges. A refusal names the remedy and never the secret."""
    server = secure_elasticsearch
    monkeypatch.setenv(PASSWORD_VARIABLE, server.password)
    good = settings_for(server.url, username="pipeline", ca_certs=server.ca_certs)
    assert publish_findings(good, findings(2)) == Sent(written=2, kept=0)
    assert publish_findings(good, findings(3)) == Sent(written=1, kept=2)
    later = findings(1, DAY + timedelta(days=31))
    assert publish_findings(good, later) == Sent(written=1, kept=0)
    refusals = {
        "no trusted TLS connection": good.model_copy(update={"ca_certs": server.other_ca_certs}),
        "ca_certs (not set)": good.model_copy(update={"ca_certs": None}),
        "exfilwatch-graph: delete": good.model_copy(update={"username": "analyst"}),
        "cluster: manage_index_templates": good.model_copy(update={"username": "analyst"}),
        "does not accept the credentials (401)": good.model_copy(update={"username": "nobody"}),
    }
    for message, settings in refusals.items():
        with pytest.raises(RunError) as raised:
            publish_findings(settings, findings(4))
        assert message in str(raised.value)
        assert server.password not in str(raised.value)
    monkeypatch.setenv(KEY_VARIABLE, SECRET)
    keyed = settings_for(server.url, ca_certs=server.ca_certs)
    with pytest.raises(RunError, match="API key in " + KEY_VARIABLE) as raised:
        publish_findings(keyed, findings(1))
    assert SECRET not in str(raised.value)


def test_the_role_for_upgrades_may_upgrade(
    secure_elasticsearch: SecureServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = secure_elasticsearch
    monkeypatch.setenv(PASSWORD_VARIABLE, server.password)
    good = settings_for(server.url, username="pipeline", ca_certs=server.ca_certs)
    publish_findings(good, findings(1, date(2026, 12, 1)))
    monkeypatch.setattr("jobs.platform.documents.TEMPLATE_VERSION", TEMPLATE_VERSION + 1)
    upgrading = good.model_copy(update={"username": "upgrade"})
    assert publish_findings(upgrading, findings(2, date(2026, 12, 1))) == Sent(written=1, kept=1)
