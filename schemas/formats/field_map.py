"""Field maps: the raw fields of a format that are used, ignored, or open.

``fields`` in ``NAME.yml`` beside this module describes format ``NAME``. Each caller may choose
names below an open field. A path is dotted. ``[]`` marks the elements of an array
(``resources[].ARN``). A name that contains dots stands in double quotes. If records come inside
other records, ``wrappers`` lists the fields around them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from itertools import chain
from typing import Any

import yaml

STEP = re.compile(r'"[^"]+"|[^.]+')


@dataclass(frozen=True)
class FieldMap:
    """Known raw fields of one format."""

    used: tuple[str, ...]
    ignored: frozenset[str]
    open: frozenset[str]
    wrappers: dict[str, tuple[str, ...]] = field(hash=False)
    """Member that identifies a wrapper → the wrapper's own fields."""

    @cache  # noqa: B019  (the maps live as long as the process)
    def knows(self, path: str) -> bool:
        """True if a leaf ``path`` is used, or if it or one of its parents is ignored or open."""
        read = {*self.used, *chain(*self.wrappers.values())}
        if path in read or f"{path}[]" in read:
            return True
        steps = path.split(".")
        parents = {".".join(steps[: n + 1]) for n in range(len(steps))}
        parents |= {parent.removesuffix("[]") for parent in parents}
        return not parents.isdisjoint(self.ignored | self.open)


@cache
def field_map(format_id: str) -> FieldMap:
    """The field map of a format; raises KeyError if the format has none."""
    text = resources.files(__package__).joinpath(f"{format_id}.yml").read_text(encoding="utf-8")
    raw: dict[str, Any] = yaml.safe_load(text)["fields"]
    wrappers = {name: tuple(fields) for name, fields in raw.get("wrappers", {}).items()}
    return FieldMap(tuple(raw["used"]), frozenset(raw["ignored"]), frozenset(raw["open"]), wrappers)


def record_type(used: tuple[str, ...]) -> str:
    """Spark SQL type of a JSON record with only the ``used`` leaves, all of them strings.

    A field may have another JSON type in some records. Read as a string it loses neither the record
    nor its neighbours. Casts come later, are explicit, and give null if they fail.
    """
    return _struct_type(field_tree(used))


def field_tree(paths: tuple[str, ...]) -> dict[str, Any]:
    """Nested dicts of dotted paths, None at each leaf.

    Raises ValueError if a path is a leaf and also the parent of another path.
    """
    tree: dict[str, Any] = {}
    for path in paths:
        *parents, leaf = [step.strip('"') for step in STEP.findall(path)]
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
            if node is None:
                raise ValueError(f"field {parent!r} is read as a whole and as {path!r}")
        if node.get(leaf) is not None:
            raise ValueError(f"field {path!r} is read as a whole and in parts")
        node[leaf] = None
    return tree


def leaf_paths(record: Any, prefix: str = "") -> set[str]:
    """Dotted paths of all leaves of a parsed JSON record (shape: nested dicts and lists)."""
    if isinstance(record, dict) and record:
        found = set()
        for key, value in record.items():
            found |= leaf_paths(value, f"{prefix}.{key}" if prefix else str(key))
        return found
    if isinstance(record, list) and any(isinstance(item, dict) for item in record):
        found = set()
        for item in record:
            found |= leaf_paths(item, f"{prefix}[]")
        return found
    return {prefix} if prefix else set()


def _struct_type(tree: dict[str, Any]) -> str:
    fields = []
    for name, below in tree.items():
        plain = name.removesuffix("[]")
        inner = "string" if below is None else _struct_type(below)
        fields.append(f"`{plain}`:{f'array<{inner}>' if name.endswith('[]') else inner}")
    return f"struct<{','.join(fields)}>"
