"""Findings, published to the server of one test."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from jobs.platform.documents import Sent, install_templates, send
from jobs.platform.elasticsearch import check_ready, session
from schemas.config import Elasticsearch as Settings
from schemas.elasticsearch.indices import (
    FINDINGS,
    index_name,
    search_name,
)
from tests.worlds.sample_findings import DAY, make_finding, published

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch


KEY_VARIABLE = "TEST_ELASTIC_API_KEY"
PASSWORD_VARIABLE = "TEST_ELASTIC_PASSWORD"
SECRET = "c2VjcmV0LW9mLXRoZS10ZXN0"


def settings_for(url: str | None, prefix: str = "exfilwatch", **changes: Any) -> Settings:
    values = {
        "url": url,
        "api_key_env": KEY_VARIABLE,
        "username": None,
        "password_env": PASSWORD_VARIABLE,
        "ca_certs": None,
        "prefix": prefix,
        **changes,
    }
    return Settings(**values)


def findings(number: int, day: date = DAY) -> list[dict[str, Any]]:
    return [published(make_finding(f"u{n:04d}", day, n + 1), day) for n in range(number)]


def publish_findings(settings: Settings, documents: list[dict[str, Any]]) -> Sent:
    with session(settings, "pipeline", "nothing is lost") as client:
        check_ready(client, settings.prefix)
        install_templates(client, settings.prefix)
        return send(client, settings.prefix, FINDINGS, documents)


def index_of(settings: Settings, document: dict[str, Any]) -> str:
    return index_name(FINDINGS, settings.prefix, document)


def count(client: Elasticsearch, settings: Settings) -> int:
    alias = search_name(FINDINGS, settings.prefix)
    client.indices.refresh(index=alias)
    return int(client.count(index=alias)["count"])
