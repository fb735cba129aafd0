"""The plain Elasticsearch server, with indices for one test."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from jobs.platform.elasticsearch import connect
from schemas.config import Elasticsearch as Settings
from tests.worlds.publishing import settings_for

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch


@pytest.fixture
def settings(elasticsearch_url: str) -> Settings:
    """The plain server, with indices for one test."""
    return settings_for(elasticsearch_url, f"t{uuid.uuid4().hex[:10]}")


@pytest.fixture
def client(settings: Settings) -> Iterator[Elasticsearch]:
    with connect(settings) as client:
        yield client
