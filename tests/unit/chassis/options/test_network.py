"""Networks as values of options."""

import ipaddress

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stentor_chassis.options.network import Hosts, Network

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def _is_plain(address: Address) -> bool:
    """Return whether this is not an IPv4 address written as IPv6."""
    return getattr(address, "ipv4_mapped", None) is None


@given(st.ip_addresses().filter(_is_plain), st.integers(0, 128))
def test_network(address: Address, prefix: int) -> None:
    """However a network is written its value is the same; a single address is a network of one."""
    network = ipaddress.ip_network((address, min(prefix, address.max_prefixlen)), strict=False)
    if _is_plain(network.network_address):
        bracketed = f"[{network.network_address}]/{network.prefixlen}"  # as we print addresses
        for written in (str(network), network.exploded, str(network).upper(), bracketed):
            assert str(network) == Network().convert(written, None, None)
    assert f"{address}/{address.max_prefixlen}" == Network().convert(str(address), None, None)


@pytest.mark.parametrize(
    "wrong", ["", "10.0.0.0/33", "10.0.0.0/255.0.0.0", "10.0.0.0/8\n", "٣.٣.٣.٣", "8", "fe80::1%eth0", "[::1]:80"]
)
def test_no_network(wrong: str) -> None:
    """Anything else is refused with an example of the expected form."""
    with pytest.raises(click.BadParameter, match=r"is not a network such as 10\.0\.0\.0/8"):
        Network().convert(wrong, None, None)


def test_network_that_was_meant() -> None:
    """A network with host bits, or an IPv4 network written as IPv6, is refused with the one that was meant."""
    for wrong, meant in (
        ("10.0.0.1/8", "10.0.0.0/8"), ("::ffff:1.2.3.4/64", "::/64"), ("::ffff:10.0.0.1/104", "10.0.0.0/8")
    ):  # fmt: skip
        with pytest.raises(click.BadParameter, match=f"^{wrong!r}.*; write {meant}$"):
            Network().convert(wrong, None, None)


def test_hosts() -> None:
    """Hosts are separated by commas, with or without the brackets in which we print them; a port is an option."""
    for written, hosts in (("0.0.0.0, [::]", "0.0.0.0,::"), ("[fe80::1%eth0],a.b", "fe80::1%eth0,a.b")):
        assert Hosts().convert(written, None, None) == hosts
    for wrong, why in (("a:80", "has a port"), ("[::1]:80", "has a port"), ("a,", "an empty address"), ("", "empty")):
        with pytest.raises(click.BadParameter, match=why):
            Hosts().convert(wrong, None, None)
