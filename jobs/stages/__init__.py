"""The stages, in the order the data flows.

Ingest, check, aggregate, graph, signals, findings, publish. A stage reads named tables and
replaces its own day in named tables. It imports no other stage.
"""
