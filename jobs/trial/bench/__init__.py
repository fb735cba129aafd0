"""Measures the speed of the day's heavy stages, beside a floor, DuckDB and Apache Spark.

See ``python -m jobs.trial.bench --help``. Every contender is a whole process on the same files,
measured by the operating system. Only ratios within one run are comparable.
"""
