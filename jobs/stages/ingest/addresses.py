"""SQL of addresses: strip port, brackets and zone id; choose the caller's among several."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

IPV4 = r"[0-9]{1,3}(?:\\.[0-9]{1,3}){3}"
MAPPED = "(?:::|(?:0{1,4}:){5})[fF]{4}:"
"""Prefix of an IPv6 address that stands for an IPv4 address."""
BARE_IPV4 = f"^{IPV4}$"
DRESSED_IPV4 = rf"^\\[?(?:{MAPPED})?({IPV4})\\]?(?::[0-9]{{1,5}})?$"
HEX_IPV4 = rf"^\\[?{MAPPED}([0-9A-Fa-f]{{1,4}}):([0-9A-Fa-f]{{1,4}})(?:[\\]%].*)?$"
IPV6 = (
    r"^\\[?([0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,8}(?:(?:\\.[0-9]{1,3}){3})?)"
    r"(?:%[^\\]]+)?(?:\\](?::[0-9]{1,5})?)?$"
)


def address(text: str) -> str:
    """SQL of the bare IPv4 or IPv6 address in ``text``; null for other text.

    Ports, brackets and zone ids are removed. An IPv4 address written as IPv6 becomes IPv4.
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
    """SQL of the addresses that :func:`last_untrusted` leaves out, in order; null if none are."""
    left_out = f"array_remove({addresses}, coalesce({last_untrusted(addresses, proxies)}, ''))"
    return f"nullif(substring(array_join({left_out}, ', '), 1, {FORWARDED_CHARS}), '')"


FORWARDED_CHARS = 2000
"""Characters kept of forwarded addresses; the caller may write any number."""


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
