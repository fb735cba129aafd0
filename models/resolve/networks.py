"""Which listed network an address belongs to."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

import pandas as pd

from models.features.rows import each_row


def network_finder(networks: pd.DataFrame) -> Callable[[str], tuple[str, str, str] | None]:
    """A function from an address to (zone, country, asn) of the longest matching network."""
    tables: dict[tuple[int, int], dict[int, tuple[str, str, str]]] = {}
    for row in each_row(networks):
        network = ipaddress.ip_network(row.cidr, strict=False)
        shift = network.max_prefixlen - network.prefixlen
        table = tables.setdefault((network.version, shift), {})
        table[int(network.network_address) >> shift] = (row.zone, row.country, row.asn)
    order = sorted(tables)

    def find(address: str) -> tuple[str, str, str] | None:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return None
        if parsed.version == 6 and parsed.ipv4_mapped:
            parsed = parsed.ipv4_mapped
        number = int(parsed)
        for version, shift in order:
            if version == parsed.version:
                found = tables[version, shift].get(number >> shift)
                if found is not None:
                    return found
        return None

    return find
