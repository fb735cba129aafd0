"""The log formats: how raw records of each become the columns of :data:`PARSED`.

A format is one module with

- ``ENVELOPES``: names of the array that holds the records where a file is one JSON document
  (``""`` for a bare array; empty for formats that are never one document),
- ``KEEPS_TEXT``: whether ``columns`` reads the record's text ``raw`` (parsing is faster without),
- ``json_type(source) -> str``: Spark SQL type of a JSON record, and
- ``columns(source) -> dict``: SQL of every column of :data:`PARSED` over the struct ``r``, the
  text ``raw``, and the literals ``source_name``, ``cluster``, ``timezone`` and ``run_day``.

A text format, whose files begin with a line that names the columns, has besides

- ``is_json(head, source) -> bool``: whether a file that begins so is JSON all the same,
- ``header_problem(header, source) -> str | None``: why no line under it can be understood,
- ``record(line, header, source) -> str``: SQL of the struct ``r``, and
- ``fault(line, header, source) -> str``: SQL of why a line does not fit its header, else null.

and may have

- ``parts(line, header, source) -> str``: SQL of what ``record`` and ``fault`` are made of, which
  they are given as column ``parts``, and
- ``mended(line, header, source) -> str``: the same once more, made from that column, where a line
  is taken apart in two steps.

``ADDRESSES``, where a module has it, is SQL of an array of the addresses that a record gives for
its caller, the server's own view last. Then two more literals exist: ``seen_address``
(:func:`last_untrusted` of them, by the source's ``trusted_proxies``) and ``forwarded_for``, the
others.

``DERIVED``, where a module has it, is SQL by name of what several columns are made of, in groups of
which each may use those before it. Both are computed once for each record: engines evaluate the
text of an expression as often as it stands in a ``case``, and patterns cost more than all else.
``derived(source)`` gives more such groups that depend on the source's settings.
A :class:`Link` in place of a group is what other lines tell, from the groups before it. A text
format with one has ``telling(line, header, source) -> str``, SQL of whether a line may tell
anything: the files are read for those alone, before the rest, so they should be few.

A format whose records also come within other records (of a message bus, of a cloud's log service)
has besides

- ``WRAPPERS``: what they come in, by the member that tells it (:class:`Wrapper`),
- ``ALONE``: the member that every record has itself and nothing around it has,
- ``BATCHES``: those of ``ENVELOPES`` of which a file may hold many, one a line, and
- ``BATCH``: the member beside such an array that says where all its records come from.

With ``HEADERLESS = True`` no line names columns: ``header`` is empty and every line is a record.
``given_header(head, source) -> str | None``, where a format has it, is the header that the config
gives for a file that begins so, None if the file has one itself. ``breaks(text, header) -> bool |
None``, where rows may hold line breaks, is whether a row goes on in the next line, None for text
that begins no row.

Rows with one ``event_id`` are one event if they agree in ``SAME_EVENT``, SQL over the columns of
:data:`PARSED`; a format says it where not all its records of one event agree in the usual
:data:`SAME_EVENT`. With ``IN_STAGES = True`` an event makes several records, of which each has a
precedence of its own and perhaps a time of its own: the first of each precedence belong together,
then the second.

Everything runs in the engine; there is no Python for each record.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from importlib import import_module
from types import ModuleType
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


def format_module(format_id: str) -> ModuleType:
    """The module of a format; the config has already refused unknown ids."""
    return import_module(f"jobs.formats.{format_id}")


def wrapper_of(members: Iterable[str], module: ModuleType) -> str | None:
    """What a record with these members comes in; None if it stands alone.

    One that stands alone may have a member, say ``message``, that others are wrapped in.
    """
    names = tuple(members) if hasattr(module, "WRAPPERS") else ()
    if not names or module.ALONE in names:
        return None
    return next((name for name in names if name in module.WRAPPERS), None)


def details_json(entries: dict[str, str]) -> str:
    """SQL of a JSON object of ``entries`` (key → SQL of its text) without those that are null."""
    pairs = ", ".join(f"{quoted(key)}, {value}" for key, value in entries.items())
    return f"to_json(named_struct({pairs}))" if pairs else "'{}'"


CHOSEN = "\x01"
"""First character of a name in ``names`` that its bearer chose, as a role session's name is."""
OF_ACCOUNT = "\x02"
"""First character of a line in ``names`` that is no name, but the account that the one is of."""


def one_a_line(*names: str) -> str:
    """SQL of the given SQL expressions, one a line, without those that are null or empty.

    A line break within a name would make a second name of its rest. It becomes a carriage return,
    which no name of the directory holds.
    """
    whole = (f"replace(nullif({name}, {EMPTY}), '\\n', '\\r')" for name in names)
    return f"concat_ws('\\n', {', '.join(whole)})"


def chosen(name: str) -> str:
    """SQL of a name for ``one_a_line`` that whoever bears it chose; null where it is empty."""
    return f"concat('{CHOSEN}', nullif({name}, {EMPTY}))"


def of_account(account: str) -> str:
    """SQL of a line for ``one_a_line`` that says the account or tenant, given as SQL, of the one
    who acted; null where it is empty.
    """
    return f"concat('{OF_ACCOUNT}', nullif({account}, {EMPTY}))"


def class_of(verb: str, classes: dict[str, str], otherwise: str) -> str:
    """SQL mapping the value of SQL ``verb`` by ``classes`` (verbs by class), else ``otherwise``."""
    cases = " ".join(
        f"when {verb} in ({', '.join(quoted(item) for item in verbs.split())}) then '{name}'"
        for name, verbs in classes.items()
    )
    return f"case {cases} else {otherwise} end"


UNKNOWN_ACTION = "unknown_action"
"""Key of ``details``: the verb or wording of a record that the format's table does not hold."""


def unknown_action(verb: str, classes: dict[str, str]) -> str:
    """SQL of ``verb`` where no class of ``classes`` (verbs by class) lists it, else null.

    Its place is ``details[UNKNOWN_ACTION]``; stage ``ingest`` counts it there and reports it.
    """
    known = ", ".join(quoted(item) for verbs in classes.values() for item in verbs.split())
    return f"case when {verb} not in ({known}) then {verb} end"


def quoted(text: str) -> str:
    """A SQL string literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


EMPTY = "''"
MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec"

IPV4 = r"[0-9]{1,3}(?:\\.[0-9]{1,3}){3}"
MAPPED = "(?:::|(?:0{1,4}:){5})[fF]{4}:"
"""How an IPv6 address begins that stands for an IPv4 one."""
BARE_IPV4 = f"^{IPV4}$"
DRESSED_IPV4 = rf"^\\[?(?:{MAPPED})?({IPV4})\\]?(?::[0-9]{{1,5}})?$"
HEX_IPV4 = rf"^\\[?{MAPPED}([0-9A-Fa-f]{{1,4}}):([0-9A-Fa-f]{{1,4}})(?:[\\]%].*)?$"
IPV6 = (
    r"^\\[?([0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,8}(?:(?:\\.[0-9]{1,3}){3})?)"
    r"(?:%[^\\]]+)?(?:\\](?::[0-9]{1,5})?)?$"
)


def address(text: str) -> str:
    """SQL of the bare IPv4 or IPv6 address in ``text``; null where it is none.

    Ports, brackets and zone ids go. An IPv4 address written as an IPv6 one is an IPv4 address.
    ``text``: SQL of one address, not of a list; it is evaluated several times.
    """
    halves = [
        f"cast(conv(regexp_extract({text}, '{HEX_IPV4}', {half}), 16, 10) as int)"
        for half in (1, 2)
    ]
    octets = ", ".join(
        f"cast({part} as string)"
        for half in halves
        for part in (f"{half} div 256", f"{half} % 256")
    )
    return (
        f"case when {text} rlike '{BARE_IPV4}' then {text} "
        f"when {text} rlike '{DRESSED_IPV4}' then regexp_extract({text}, '{DRESSED_IPV4}', 1) "
        f"when {text} rlike '{HEX_IPV4}' then concat_ws('.', {octets}) "
        f"when {text} rlike '{IPV6}' then regexp_extract({text}, '{IPV6}', 1) end"
    )


def last_untrusted(addresses: str, proxies: Sequence[str]) -> str:
    """SQL of the address that the server or its proxies saw, as the log writes it.

    ``addresses``: SQL of an array of texts, the server's own view last. ``proxies``: CIDRs. A
    caller may write every address before its own, and each proxy appends the address that it sees.
    So the result is the last address outside ``proxies``, or the first one if all are inside.
    """
    last = f"get({addresses}, size({addresses}) - 1)"
    if not proxies:
        return last
    foreign = f"filter({addresses}, one -> not {_within('one', proxies)})"
    return (
        f"get(transform(array({foreign}), others -> if(size(others) = 0, get({addresses}, 0), "
        "get(others, size(others) - 1))), 0)"
    )


def forwarded(addresses: str, proxies: Sequence[str]) -> str:
    """SQL of the addresses that :func:`last_untrusted` leaves out, in order; null for none."""
    left_out = f"array_remove({addresses}, coalesce({last_untrusted(addresses, proxies)}, ''))"
    return f"nullif(substring(array_join({left_out}, ', '), 1, {FORWARDED_CHARS}), '')"


FORWARDED_CHARS = 2000
"""Characters kept of forwarded addresses, which the caller may write as long as it likes."""


def _within(text: str, proxies: Sequence[str]) -> str:
    """SQL of whether one of the CIDRs ``proxies`` holds the address in ``text``; never null."""
    digits = f"get(transform(array({address(text)}), bare -> {_hex_digits('bare')}), 0)"
    tests = []
    for proxy in proxies:
        network = ipaddress.ip_network(proxy)
        ends = (network.network_address, network.broadcast_address)
        # `address` gives an IPv4 address where one is written as an IPv6 address.
        mapped = [end.ipv4_mapped for end in ends if isinstance(end, ipaddress.IPv6Address)]
        low, high = (end.packed.hex() for end in [one for one in mapped if one] or ends)
        tests.append(f"length(digits) = {len(low)} and digits between '{low}' and '{high}'")
    held = " or ".join(f"({test})" for test in tests)
    return f"coalesce(get(transform(array({digits}), digits -> {held}), 0), false)"


def _hex_digits(bare: str) -> str:
    """SQL of a bare address as 8 or 32 lower-case hex digits, which sort as addresses do."""
    octets = (
        f"get(transform(array(try_cast(get(split({bare}, '[.]'), {n}) as int)), "
        "octet -> if(octet < 256, lpad(hex(octet), 2, '0'), null)), 0)"
        for n in range(4)
    )
    halves = [
        f"array_join(transform(split(get(split({bare}, '::'), {n}), ':'), "
        "part -> if(part = '', '', lpad(part, 4, '0'))), '')"
        for n in (0, 1)
    ]
    first, rest = halves[0], f"coalesce({halves[1]}, '')"
    zeros = f"repeat('0', 32 - length({first}) - length({rest}))"
    return (
        f"lower(case when {bare} rlike '{BARE_IPV4}' then concat({', '.join(octets)}) "
        f"else concat({first}, {zeros}, {rest}) end)"
    )


def iso_time(text: str) -> str:
    """SQL of a UTC timestamp from ISO 8601 text; null unless it has a date and a time.

    The length is checked first because engines also read `2026` or `2026-10` as timestamps. Engines
    know no leap second: `23:59:60` becomes the second before it, 59.
    """
    second_before = f"concat(substring({text}, 1, 17), '59', substring({text}, 20))"
    leap = f"case when substring({text}, 17, 3) = ':60' then {second_before} end"
    return (
        f"case when length({text}) >= 19 "
        f"then coalesce(try_cast({text} as timestamp), try_cast({leap} as timestamp)) end"
    )


def zoned_time(text: str) -> str:
    """SQL of a UTC timestamp from ISO 8601 text, local in ``timezone`` unless it names a zone."""
    parsed = iso_time(text)
    named = f"{text} rlike '(Z|UTC|GMT|[+-][0-9]{{2}}:?[0-9]{{2}})$'"
    return f"case when {named} then {parsed} else to_utc_timestamp({parsed}, timezone) end"


def epoch_ms_time(text: str) -> str:
    """SQL of a UTC timestamp from milliseconds since 1970 as text."""
    return f"timestamp_millis(try_cast(try_cast({text} as double) as bigint))"


def month_number(text: str) -> str:
    """SQL of 1 to 12 from a month's English name of three letters; 0 where it is none."""
    return f"cast((instr('{MONTHS}', {text}) + 2) / 3 as int)"


def url_decoded(text: str) -> str:
    """SQL of percent-decoded text; the text itself where it decodes to no UTF-8."""
    decoded = f"try_url_decode({text})"
    return f"case when {decoded} not like '%\ufffd%' then {decoded} else {text} end"


def byte_count(text: str) -> str:
    """SQL of a number of bytes from text, which may be a float; null where it is none."""
    number = f"try_cast(try_cast({text} as double) as bigint)"
    return f"case when {number} >= 0 then {number} end"


NO_TEXT = "cast(null as string)"
