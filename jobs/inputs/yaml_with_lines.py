"""YAML files with the line of every key, so a problem can name its place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from jobs.platform.errors import InputError

MAX_CONFIG_BYTES = 1_000_000
MAX_CONFIG_NODES = 100_000
"""Aliases of aliases make a small file huge. No honest config has so many values."""

Location = tuple[str | int, ...]


@dataclass(frozen=True)
class Document:
    """A YAML file: its values, and the line (from 1) of every key and list item."""

    path: Path
    values: dict[str, Any]
    lines: dict[tuple[str, ...], int]

    def line(self, location: Location) -> int:
        """Line of the key; if the file lacks the key, the line of its nearest parent."""
        keys = tuple(str(part) for part in location)
        while keys and keys not in self.lines:
            keys = keys[:-1]
        return self.lines.get(keys, 1)


def read_yaml(path: Path) -> Document:
    """Parse one YAML mapping; raises :class:`InputError` for any problem of the file."""
    try:
        with path.open("rb") as handle:
            content = handle.read(MAX_CONFIG_BYTES + 1)
    except OSError as error:
        raise InputError([f"{path}: cannot be read: {error.strerror or error}"]) from error
    if len(content) > MAX_CONFIG_BYTES:
        raise InputError([f"{path}: larger than {MAX_CONFIG_BYTES:,} bytes; is it a job config?"])
    try:
        return _parse(path, content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError([f"{path}:{line}: not UTF-8"]) from error
    except RecursionError as error:
        raise InputError([f"{path}: nested too deeply"]) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        text = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise InputError([f"{path}:{line}: not valid YAML: {text}"]) from error
    except ValueError as error:  # YAML accepts the text as a day or a number, Python refuses it
        raise InputError([f"{path}: not valid YAML: {error}"]) from error


def _parse(path: Path, text: str) -> Document:
    loader = yaml.SafeLoader(text)
    try:
        root = loader.get_single_node()
        if not isinstance(root, yaml.MappingNode):
            raise InputError([f"{path}:1: expected a mapping of keys (`sources:` and others)"])
        lines: dict[tuple[str, ...], int] = {}
        problems = []
        for count, (keys, line) in enumerate(_walk(root, ()), start=1):
            if count > MAX_CONFIG_NODES:
                raise InputError([f"{path}: more than {MAX_CONFIG_NODES:,} values (aliases?)"])
            if keys in lines:
                problems.append(
                    f"{path}:{line}: {dotted(keys)}: given twice, first in line {lines[keys]}"
                )
            lines.setdefault(keys, line)
        if problems:
            raise InputError(problems)
        return Document(path, loader.construct_document(root), lines)
    finally:
        loader.dispose()


def _walk(node: yaml.Node, keys: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], int]]:
    """Every key and list item under ``node``, in the file's spelling, with its line."""
    if isinstance(node, yaml.MappingNode):
        for key_node, value in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            inner = (*keys, str(key_node.value))
            yield inner, key_node.start_mark.line + 1
            yield from _walk(value, inner)
    elif isinstance(node, yaml.SequenceNode):
        for place, item in enumerate(node.value):
            inner = (*keys, str(place))
            yield inner, item.start_mark.line + 1
            yield from _walk(item, inner)


def dotted(location: Location) -> str:
    """A place in a config as people write it, such as ``sources[0].path``."""
    text = ""
    for part in location:
        name = str(part)
        text += f"[{name}]" if name.isdecimal() else f".{name}" if text else name
    return text
