"""Addresses, as far as one device cannot change them."""

from __future__ import annotations

import ipaddress


def end_site(address: str) -> str:
    """The network of 64 bits of an address of IPv6, whose holder chooses the rest; others whole."""
    if ":" not in address:
        return address
    try:
        parsed = ipaddress.IPv6Address(address)
    except ValueError:
        return address
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((parsed, 64), strict=False))
