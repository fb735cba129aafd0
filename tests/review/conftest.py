"""The plain Elasticsearch server, with indices for one test."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jobs.platform.elasticsearch import connect
from tests.stages.publish.test_publish import make_config

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch

    from schemas.config import JobConfig


@pytest.fixture
def config(tmp_path: Path, elasticsearch_url: str) -> JobConfig:
    """The plain server, with indices for one test."""
    prefix = f"t{uuid.uuid4().hex[:10]}"
    return make_config(tmp_path, f"{{url: '{elasticsearch_url}', prefix: {prefix}}}")


@pytest.fixture
def client(config: JobConfig) -> Iterator[Elasticsearch]:
    with connect(config.elasticsearch) as client:
        yield client
