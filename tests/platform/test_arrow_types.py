"""Arrow types of tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from pyspark.sql.pandas.types import to_arrow_schema

from jobs.platform.arrow_types import arrow_schema
from schemas.tables import TABLES

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@pytest.mark.engine
def test_arrow_types_are_those_of_the_engine(sail: SparkSession) -> None:
    for table in TABLES:
        engines = sail.createDataFrame([], table.ddl()).schema
        nullable = [field.with_nullable(True) for field in to_arrow_schema(engines, timezone="UTC")]
        assert arrow_schema(table) == pa.schema(nullable), table.name
