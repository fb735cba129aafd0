"""Networks, against a slow and obvious way to find them."""

from __future__ import annotations

import ipaddress

import pandas as pd
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from models.resolve.networks import network_finder

CIDRS = st.one_of(
    st.tuples(st.ip_addresses(v=4), st.integers(0, 32)),
    st.tuples(st.ip_addresses(v=6), st.integers(0, 128)),
).map(lambda pair: ipaddress.ip_network(f"{pair[0]}/{pair[1]}", strict=False))


@settings(max_examples=300, deadline=None)
@given(networks=st.lists(CIDRS, max_size=8, unique=True), data=st.data())
def test_networks_are_the_longest_that_hold_it(networks: list, data: st.DataObject) -> None:
    inside = [network[data.draw(st.integers(0, network.num_addresses - 1))] for network in networks]
    address = data.draw(st.sampled_from([*inside, data.draw(st.ip_addresses())]))
    frame = pd.DataFrame(
        [(str(n), "z", "c", str(n)) for n in networks],
        columns=["cidr", "zone", "country", "asn"],
        dtype=str,
    )
    holding = [n for n in networks if address.version == n.version and address in n]
    expected = max(holding, key=lambda n: n.prefixlen, default=None)
    mapped = address.version == 6 and address.ipv4_mapped
    assume(not mapped)
    found = network_finder(frame)(str(address))
    assert (found[2] if found else None) == (str(expected) if expected else None)


def test_addresses_in_other_spellings() -> None:
    frame = pd.DataFrame(
        {"cidr": ["10.0.0.0/8", "2001:db8::/32"], "zone": ["corp", "vpn"], "country": "", "asn": ""}
    )
    find = network_finder(frame)
    assert find("::ffff:10.1.2.3") == find("10.1.2.3") == ("corp", "", "")
    assert find("2001:0DB8:0::1") == ("vpn", "", "")
    assert find("fe80::1%eth0") is None
    for text in ("", "10.0.0", "10.0.0.1:443", "host", "999.1.1.1", "secretsmanager.amazonaws.com"):
        assert find(text) is None
