"""Contracts: tables, job config, context files, findings, Elasticsearch templates. No I/O."""
