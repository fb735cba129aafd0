"""To whom an asset is opened: one spelling for all formats.

``destination`` of an opening holds the grantees, one a line, sorted. Each is a URI:

- ``account://ID``: an account, tenant or project of a cloud;
- ``user://NAME``: a person or service; ``group://NAME``; ``domain://NAME``;
- ``public://all``: everybody; ``public://signed-in``: every customer of the vendor;
- ``link://KIND``: whoever holds a link, key or token;
- ``unknown://KIND``: the log does not say who, or says it in a way that is not read.

Null: the act opens nothing to others.
"""

from __future__ import annotations

PUBLIC, SIGNED_IN = "public://all", "public://signed-in"


def grantee_list(*arrays: str, but: str | None = None) -> str:
    """SQL of the items of SQL arrays, one a line, without SQL ``but``; null if there is none.

    Null arrays are empty; SQL ``but`` is not null.
    """
    whole = ", ".join(f"coalesce({array}, cast(array() as array<string>))" for array in arrays)
    lines = f"array_join(array_sort(array_distinct(concat({whole}))), '\\n')"
    if but is not None:
        # As text: engines may keep the items of arrays in types that do not compare.
        others = f"replace(concat('\\n', {lines}, '\\n'), concat('\\n', {but}, '\\n'), '\\n')"
        lines = f"regexp_replace({others}, '^\\n|\\n$', '')"
    return f"nullif({lines}, '')"


def one_if(condition: str, grantee: str) -> str:
    """SQL of an array of the text ``grantee`` where the SQL condition holds, else null."""
    return f"case when {condition} then array('{grantee}') end"


def named(scheme: str, name: str) -> str:
    """SQL of the grantee called SQL ``name``; without a name an unknown one."""
    whole = f"replace(nullif(trim({name}), ''), '\\n', ' ')"
    return f"coalesce(concat('{scheme}://', {whole}), 'unknown://{scheme}')"
