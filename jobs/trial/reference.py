"""``python -m jobs.trial.reference``: writes the generated parts of ``docs/``.

A page in ``docs/`` is written by hand, except for the lines between two marks::

    <!-- generated: NAME -->
    <!-- end of NAME -->

This module renders those lines from the code, so that the pages and the code cannot differ:
config keys from the pydantic models and ``default.yml``, detectors and log formats from their
YAML files, tables from ``schemas.tables``, fields of a finding from ``schemas.finding``.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from jobs.inputs.config import DEFAULTS
from models.detectors import Technique, describe, detector_names
from schemas.config import JobConfig
from schemas.finding import FIELDS
from schemas.formats import FORMATS, Format
from schemas.tables import RECORDS, TABLES
from schemas.tables.spec import Column, Table
from schemas.techniques import ATLAS_VERSION, ATTACK_VERSION

DOCS = Path(__file__).parents[2] / "docs"
SHELL = "$ "
QUESTIONS = ("person", "bytes", "downloads", "address", "object")
"""The answers of a format, in the order of the columns of the overview."""


def config_keys() -> str:
    """Markdown: one section for each part of the config, one row for each key."""
    schema = JobConfig.model_json_schema()
    models = schema["$defs"]
    defaults = yaml.safe_load(DEFAULTS.read_text(encoding="utf-8"))
    parts = [_config_part("", schema, defaults)]
    for key, field in schema["properties"].items():
        part, model = _part_of(key, field), _model_of(field)
        if part and model:
            own = {} if part.endswith("[]") else defaults[key]
            parts.append(_config_part(part, models[model], own))
        if part == "sources[]":
            parts.append(_config_part("sources[].mapping", models["Mapping"], {}))
    return "\n\n".join(parts)


def _config_part(name: str, model: Mapping[str, Any], defaults: Mapping[str, Any]) -> str:
    rows = []
    for key, field in model["properties"].items():
        part = _part_of(key, field)
        meaning = [field["description"]] if "description" in field else []
        meaning += [f"Keys: [`{part}`](#{_anchor(part)})."] if part else []
        if part and field.get("type") != "array" and key in defaults:
            default = ""
        elif key in defaults or "default" in field:
            default = f"`{json.dumps(defaults.get(key, field.get('default')), ensure_ascii=False)}`"
        else:
            default = "required"
        rows.append([f"`{key}`", _type_of(field), default, " ".join(meaning)])
    heading = f"## `{name}`\n\n{model['description']}" if name else "## Top level"
    return f"{heading}\n\n{_table(('key', 'type', 'default', 'meaning'), rows)}"


def _part_of(key: str, field: Mapping[str, Any]) -> str | None:
    """Name of the section that holds the keys of ``key``, if it has keys of its own."""
    if not _model_of(field):
        return None
    if key == "mapping":
        return "sources[].mapping"
    return f"{key}[]" if field.get("type") == "array" else key


def _model_of(field: Mapping[str, Any]) -> str | None:
    """Name of the model that a JSON schema of a field refers to, if it refers to one."""
    choices = [field, field.get("items", {}), *field.get("anyOf", ()), *field.get("allOf", ())]
    refs = [choice["$ref"] for choice in choices if "$ref" in choice]
    return str(refs[0]).rpartition("/")[2] if refs else None


def _type_of(field: Mapping[str, Any]) -> str:
    """A JSON schema of one field as words: its type, its bounds, its closed values."""
    if "anyOf" in field:
        return " or ".join(_type_of(choice) for choice in field["anyOf"])
    if "enum" in field:
        return f"one of {', '.join(f'`{value}`' for value in field['enum'])}"
    if "$ref" in field:
        return "map"
    kind = field.get("type", "any")
    if kind == "array":
        one = _type_of(field["items"])
        many = {"text": "texts", "map": "maps"}.get(one, one.replace("one of", "any of"))
        return f"list of {many}"
    if kind == "object":
        return "map"
    names = {"integer": "whole number", "string": "text", "boolean": "true or false"}
    return f"{names.get(kind, kind)}{_bounds(field)}"


def _bounds(field: Mapping[str, Any]) -> str:
    words = (("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤"), ("pattern", "matches"))
    found = []
    for key, sign in words:
        if key in field:
            value = field[key]
            found.append(f"{sign} `{value}`" if key == "pattern" else f"{sign} {value:,}")
    return f", {', '.join(found)}" if found else ""


def detectors() -> str:
    """Markdown: an overview of all detectors, then one section for each."""
    rows = [
        [f"[`{name}`](#{name})", describe(name).family, describe(name).title]
        for name in detector_names()
    ]
    overview = _table(("detector", "family", "title"), rows)
    versions = f"Techniques are those of ATT&CK {ATTACK_VERSION} and ATLAS {ATLAS_VERSION}."
    return "\n\n".join([overview, versions, *map(_detector, detector_names())])


def _detector(name: str) -> str:
    about = describe(name)
    settings = [
        [f"`{key}`", f"`{json.dumps(setting.value)}`", setting.unit, setting.raising]
        for key, setting in about.defaults.items()
    ]
    return "\n\n".join(
        [
            f"## {name}",
            f"**{about.title}.** {about.goal}",
            _bullets(
                [
                    f"Family: {about.family}. Tactics: {', '.join(about.tactics)}.",
                    f"Techniques: {', '.join(map(_technique, about.techniques))}.",
                ]
            ),
            f"Data used:\n\n{_bullets(about.data)}",
            f"Blind spots:\n\n{_bullets(about.blind_spots)}",
            f"False positives:\n\n{_bullets(about.false_positives)}",
            f"Runbook:\n\n{_numbered(about.runbook)}",
            _table((f"`detectors.{name}`", "default", "unit", "raising it"), settings),
        ]
    )


def _technique(technique: Technique) -> str:
    if technique.id.startswith("AML."):
        url = f"https://atlas.mitre.org/techniques/{technique.id}"
    else:
        url = f"https://attack.mitre.org/techniques/{technique.id.replace('.', '/')}/"
    return f"[{technique.id} {technique.name}]({url})"


def formats() -> str:
    """Markdown: the overview of all log formats, then one section for each."""
    rows = [
        [f"[`{name}`](#{name})", form.title]
        + [getattr(form, question).holds for question in QUESTIONS]
        for name, form in FORMATS.items()
    ]
    overview = _table(("format", "log", *QUESTIONS), rows)
    return "\n\n".join([overview, *(_format(name, form) for name, form in FORMATS.items())])


def _format(name: str, form: Format) -> str:
    answers = [[key, getattr(form, key).holds, getattr(form, key).how] for key in QUESTIONS]
    source = {"name": form.example["name"], "format": name, **form.example}
    example = yaml.safe_dump({"sources": [source]}, sort_keys=False, width=1000).rstrip()
    return "\n\n".join(
        [
            f"### {name}",
            f"{form.title}. One record: {form.record}. Files: {form.file}.",
            _table(("question", "answer", "how"), answers),
            f"Delivery: {form.delivery}",
            f"Cost: {form.cost}",
            f"Limits:\n\n{_bullets(form.limits)}",
            f"How to switch the log on:\n\n{_steps(form.enable)}",
            f"In the config:\n\n```yaml\n{example}\n```",
        ]
    )


def _steps(steps: Iterable[str]) -> str:
    """Sentences as paragraphs, lines to be typed as code blocks."""
    blocks: list[str] = []
    typed: list[str] = []
    for step in steps:
        if step.startswith(SHELL):
            typed.append(step.removeprefix(SHELL))
            continue
        blocks += [_code(typed)] if typed else []
        typed = []
        blocks.append(step)
    blocks += [_code(typed)] if typed else []
    return "\n\n".join(blocks)


def _code(lines: Iterable[str]) -> str:
    return "\n".join(["```", *lines, "```"])


def tables() -> str:
    """Markdown: one section for each table, one row for each column."""
    return "\n\n".join(
        "\n\n".join(
            [
                f"## {table.name}",
                f"Written by {_writer(table)}. One row: {table.grain}. "
                f"Unique within a day: {', '.join(f'`{name}`' for name in table.key)}.",
                _table(
                    ("column", "type", "null", "meaning"),
                    [
                        [
                            f"`{column.name}`",
                            f"`{column.type}`",
                            "yes" if column.nullable else "no",
                            _meaning(column),
                        ]
                        for column in table.columns
                    ],
                ),
            ]
        )
        for table in (*TABLES, *RECORDS)
    )


def _writer(table: Table) -> str:
    return f"the stage `{table.stage}`" if table.stage else "the pipeline"


def _meaning(column: Column) -> str:
    parts = [column.meaning]
    if column.values:
        parts.append(f"one of {', '.join(f'`{value}`' for value in column.values)}")
    if column.minimum is not None:
        parts.append(f"at least {column.minimum:g}")
    if column.maximum is not None:
        parts.append(f"at most {column.maximum:g}")
    return "; ".join(parts)


def finding_fields() -> str:
    """Markdown: one row for each field of a finding."""
    rows = [
        [
            f"`{field.path}`",
            f"list of {field.type}" if field.many else field.type,
            "yes" if field.nullable else "no",
            field.meaning,
        ]
        for field in FIELDS
    ]
    return _table(("field", "type", "null", "meaning"), rows)


PARTS: Mapping[str, tuple[str, Callable[[], str]]] = {
    "config keys": ("config.md", config_keys),
    "detectors": ("detectors.md", detectors),
    "formats": ("formats.md", formats),
    "tables": ("tables.md", tables),
    "fields of a finding": ("findings.md", finding_fields),
}
"""Name of each generated part: the page that holds it, and its renderer."""


def pages(folder: Path) -> Iterator[tuple[Path, str, str]]:
    """Every page with a generated part: its path, its present text and its expected text.

    Raises ValueError if a page lacks the marks of its part.
    """
    for name, (page, render) in PARTS.items():
        path = folder / page
        now = path.read_text(encoding="utf-8")
        start, end = f"<!-- generated: {name} -->", f"<!-- end of {name} -->"
        marks = re.compile(f"{re.escape(start)}\n.*?{re.escape(end)}", re.DOTALL)
        if len(marks.findall(now)) != 1:
            raise ValueError(f"{path}: `{start}` and `{end}` expected, once each, in this order")
        block = f"{start}\n\n{render()}\n\n{end}"
        before, after = marks.split(now)
        yield path, now, f"{before}{block}{after}"


def _anchor(heading: str) -> str:
    """The anchor that forges give a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _bullets(items: Iterable[str]) -> str:
    return "\n".join(f"- {' '.join(item.split())}" for item in items)


def _numbered(items: Iterable[str]) -> str:
    return "\n".join(f"{place}. {' '.join(item.split())}" for place, item in enumerate(items, 1))


def main(argv: Sequence[str] | None = None) -> int:
    """Write the pages, or with ``--check`` only compare them; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m jobs.trial.reference", description="Write the generated parts of docs/."
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 and name the pages that differ"
    )
    check = parser.parse_args(argv).check
    differing = [(path, text) for path, now, text in pages(DOCS) if now != text]
    for path, text in differing:
        if check:
            print(f"docs/{path.name} differs from the code: run `python -m jobs.trial.reference`")
        else:
            path.write_text(text, encoding="utf-8")
            print(f"docs/{path.name} written")
    return 1 if check and differing else 0


if __name__ == "__main__":
    sys.exit(main())
