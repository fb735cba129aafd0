"""The columns that every log format yields, and the parts that a format is made of."""

from __future__ import annotations

from typing import NamedTuple

PARSED = {
    "event_id": "string",
    "event_time": "timestamp",
    "principal": "string",
    # Names under which the directory may know the one who acted, best first, one a line.
    "names": "string",
    # `service` where the log itself says that no person acted.
    "kind_hint": "string",
    "acting_as": "string",
    "credential": "string",
    # Key handed out by this record (AssumeRole); later records carry it as their credential.
    "issued_credential": "string",
    "action": "string",
    "action_class": "string",
    "resource": "string",
    # The object within the resource, where the log itself tells it apart.
    "object": "string",
    "destination": "string",
    "bytes_out": "bigint",
    "source_ip": "string",
    "user_agent": "string",
    "outcome": "string",
    # A JSON object of texts, which becomes a map in `events`: engines make maps slowly, and Sail
    # does not read files together whose maps were made in different ways.
    "details": "string",
    # Of several records of one event the one with the highest precedence tells it best.
    "precedence": "int",
    # Why the record is not understood; null for a good one.
    "problem": "string",
}
"""What a format's parser yields for each raw record: column → Spark SQL type."""


SAME_EVENT = ("principal", "action", "resource", "unix_seconds(event_time)")
"""Who, what and when: an id alone may be chosen by the caller."""


class Wrapper(NamedTuple):
    """What a record comes in.

    ``path``: where in it the record is, empty where it is spread over it. ``outer_type``: Spark SQL
    type of what is read of it. The rest is SQL over that struct ``e`` and over ``batch``, the value
    of the format's ``BATCH``: ``record`` is the struct ``r``, or with ``as_text`` the JSON text of
    one; ``fault`` says why it is no record of this format; ``cluster`` is the cluster's name.
    """

    path: str
    outer_type: str
    record: str
    as_text: bool = False
    fault: str = "cast(null as string)"
    cluster: str = "cast(null as string)"


class Link(NamedTuple):
    """What the telling lines of the same files say about a record.

    ``tells``: SQL of an array of keys of what such a line tells about; ``values``: SQL of
    aggregates by name, for each key; ``asks``: SQL of the key under which a record finds them.
    """

    tells: str
    values: dict[str, str]
    asks: str
