"""How fast the day's heavy stages are, beside a floor, DuckDB and Apache Spark.

``python -m jobs.trial.bench --help``. Every contender is a whole process on the same files,
measured by the operating system; only ratios within one run mean anything.
"""
