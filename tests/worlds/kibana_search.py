"""The searches that Kibana sends for our panels.

Translates KQL and Lens columns to the server's query language. It knows only the features that our
panels use and refuses all others, so a new feature must be added here first.
"""

from __future__ import annotations

import re
from typing import Any

TOKEN = re.compile(r'\s*(?:("(?:[^"\\]|\\.)*")|(>=|<=|[():<>])|([^\s():<>"]+))')
RANGES = {">=": "gte", "<=": "lte", ">": "gt", "<": "lt"}
METRICS = {"sum": "sum", "max": "max", "min": "min", "unique_count": "cardinality"}


def kql(text: str) -> dict[str, Any]:
    """A KQL text as a query; ValueError for more than ``and or not ()``, ``:`` and ranges."""
    tokens: list[str] = []
    place = 0
    while text[place:].strip():
        found = TOKEN.match(text, place)
        if found is None:
            raise ValueError(f"not understood: {text[place:]!r} in {text!r}")
        tokens.append(next(part for part in found.groups() if part is not None))
        place = found.end()
    if not tokens:
        return {"match_all": {}}
    query = _either(tokens)
    if tokens:
        raise ValueError(f"left over: {tokens} in {text!r}")
    return query


def kql_fields(text: str) -> set[str]:
    """Names of the fields in a KQL text."""

    def walk(query: Any) -> set[str]:
        if isinstance(query, list):
            return set().union(*map(walk, query))
        (kind, body), *_ = query.items()
        if kind == "bool":
            parts = [part for key, part in body.items() if key != "minimum_should_match"]
            return set().union(*map(walk, parts))
        if kind == "exists":
            return {body["field"]}
        return set() if kind == "match_all" else set(body)

    return walk(kql(text))


def lens_search(layer: dict[str, Any], filters: list[dict[str, Any]]) -> dict[str, Any]:
    """The search of one layer of a chart."""
    columns = layer["columns"]
    order = layer["columnOrder"]
    buckets = [name for name in order if columns[name]["isBucketed"]]
    metrics = {name: columns[name] for name in order if not columns[name]["isBucketed"]}
    aggs: dict[str, Any] = {name: _metric(column) for name, column in metrics.items()}
    for name in reversed(buckets):
        column = columns[name]
        aggs = {name: _bucket(column, metrics) | {"aggs": aggs}}
        # A bucket needs the column of its order at its own level, too.
        by = column["params"].get("orderBy", {}).get("columnId")
        if by is not None and metrics[by]["operationType"] != "count":
            aggs[name]["aggs"] = {by: _metric(metrics[by])} | aggs[name]["aggs"]
    return {"size": 0, "query": {"bool": {"filter": filters}}, "aggs": aggs}


def lens_rows(layer: dict[str, Any], answer: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of the layer's table, by column; None for a missing value."""
    columns = layer["columns"]
    buckets = [name for name in layer["columnOrder"] if columns[name]["isBucketed"]]

    def walk(level: dict[str, Any], left: list[str], row: dict[str, Any]) -> list[dict[str, Any]]:
        if left:
            name, *rest = left
            return [
                found
                for bucket in level[name]["buckets"]
                for found in walk(bucket, rest, {**row, name: bucket["key"]})
            ]
        values = {
            name: _value(level[name], column)
            for name, column in columns.items()
            if not column["isBucketed"]
        }
        return [{**row, **values}]

    return walk(answer["aggregations"], buckets, {})


def _either(tokens: list[str]) -> dict[str, Any]:
    parts = [_both(tokens)]
    while tokens and tokens[0].lower() == "or":
        tokens.pop(0)
        parts.append(_both(tokens))
    return parts[0] if len(parts) == 1 else {"bool": {"should": parts, "minimum_should_match": 1}}


def _both(tokens: list[str]) -> dict[str, Any]:
    parts = [_one(tokens)]
    while tokens and tokens[0].lower() == "and":
        tokens.pop(0)
        parts.append(_one(tokens))
    return parts[0] if len(parts) == 1 else {"bool": {"filter": parts}}


def _one(tokens: list[str]) -> dict[str, Any]:
    if not tokens:
        raise ValueError("ends too early")
    token = tokens.pop(0)
    if token == "(":
        inner = _either(tokens)
        if not tokens or tokens.pop(0) != ")":
            raise ValueError("no closing bracket")
        return inner
    if token.lower() == "not":
        return {"bool": {"must_not": [_one(tokens)]}}
    if not re.fullmatch(r"[@\w.-]+", token) or len(tokens) < 2:
        raise ValueError(f"a field expected, not {token!r}")
    operator, value = tokens.pop(0), tokens.pop(0)
    if operator in RANGES:
        return {"range": {token: {RANGES[operator]: float(value)}}}
    if operator != ":" or (not value.startswith('"') and "*" in value and value != "*"):
        raise ValueError(f"not understood: {token} {operator} {value}")
    if value == "*":
        return {"exists": {"field": token}}
    if value.startswith('"'):
        return {"match_phrase": {token: re.sub(r"\\(.)", r"\1", value[1:-1])}}
    return {"match": {token: value}}


def _bucket(column: dict[str, Any], metrics: dict[str, Any]) -> dict[str, Any]:
    params = column["params"]
    if column["operationType"] == "date_histogram":
        if params["interval"] != "1d":
            raise ValueError(f"interval {params['interval']}")
        return {"date_histogram": {"field": column["sourceField"], "calendar_interval": "1d"}}
    if column["operationType"] != "terms":
        raise ValueError(f"bucket {column['operationType']}")
    by = params["orderBy"]
    key = "_key"
    if by["type"] == "column":
        metric = metrics[by["columnId"]]
        key = "_count" if metric["operationType"] == "count" else by["columnId"]
    terms = {
        "field": column["sourceField"],
        "size": params["size"],
        "order": {key: params["orderDirection"]},
    }
    if params["missingBucket"]:
        terms["missing"] = "__missing__"
    return {"terms": terms}


def _metric(column: dict[str, Any]) -> dict[str, Any]:
    operation = column["operationType"]
    if operation == "count":
        inner: dict[str, Any] = {"filter": {"match_all": {}}}
    elif operation in METRICS:
        inner = {METRICS[operation]: {"field": column["sourceField"]}}
    else:
        raise ValueError(f"metric {operation}")
    if "filter" not in column:
        return inner
    return {"filter": kql(column["filter"]["query"]), "aggs": {"value": inner}}


def _value(answer: dict[str, Any], column: dict[str, Any]) -> Any:
    inner = answer["value"] if "filter" in column else answer
    return inner["doc_count"] if column["operationType"] == "count" else inner["value"]
