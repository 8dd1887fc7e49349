"""Networks as values of options."""

import ipaddress
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stentor_chassis.failure import USAGE
from stentor_chassis.options.command_line import group
from stentor_chassis.options.network import Network
from stentor_chassis.options.option import option
from unit.ending import RunCommand


@pytest.fixture
def service() -> click.Group:
    """A service that prints what it allows."""
    service = group("A service.", "1")

    @service.command()
    @option("--allow", type=Network(), multiple=True, help="Who may connect.")
    def show(allow: Any) -> None:
        print(allow)

    return service


def _networks() -> st.SearchStrategy[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    v4 = st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32))
    v6 = st.tuples(st.integers(0, 2**128 - 1), st.integers(0, 128))
    return st.one_of(
        v4.map(lambda of: ipaddress.IPv4Network(of, strict=False)),
        v6.map(lambda of: ipaddress.IPv6Network(of, strict=False)).filter(lambda of: _is_plain(of.network_address)),
    )


def _is_plain(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Return whether this is not an IPv4 address written as IPv6."""
    return getattr(address, "ipv4_mapped", None) is None


@given(_networks())
def test_network(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> None:
    """However a network is written its value is the same, and stays as it is."""
    for written in (str(network), network.exploded, str(network).upper()):
        assert str(network) == Network().convert(written, None, None)


@given(st.ip_addresses().filter(_is_plain))
def test_address(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    """A single address is the network that holds nothing else."""
    assert f"{address}/{address.max_prefixlen}" == Network().convert(str(address), None, None)


@pytest.mark.parametrize(
    "wrong",
    [
        *("", " ", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10/8", "10.0.0.256", "010.0.0.1", "8"),
        *("10.0.0.0/8/8", "10.0.0.0/255.0.0.0", "10.0.0.0 /8", "10.0.0.0/8\n", "localhost", "٣.٣.٣.٣"),
        *("2001:db8::/129", "2001:db8", "[::1]", "fe80::1%eth0", ":::", "10.0.0.0/8,::/0"),
    ],
)
def test_no_network(wrong: str) -> None:
    """What is no network is refused with an example of what is wanted."""
    with pytest.raises(click.BadParameter, match=r"is not a network such as 10\.0\.0\.0/8"):
        Network().convert(wrong, None, None)


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("10.0.0.1/8", "10.0.0.0/8"),
        ("1.2.3.4/0", "0.0.0.0/0"),
        ("2001:db8::1/32", "2001:db8::/32"),
        ("::ffff:1.2.3.4/64", "::/64"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("::ffff:10.0.0.1/104", "10.0.0.0/8"),
        ("::FFFF:A00:1", "10.0.0.1/32"),
        ("::ffff:0:0/96", "0.0.0.0/0"),
    ],
)
def test_network_that_was_meant(wrong: str, meant: str) -> None:
    """A network with bits of a host, or of IPv4 in the clothes of IPv6, is refused with the one that was meant."""
    with pytest.raises(click.BadParameter) as refused:
        Network().convert(wrong, None, None)
    assert refused.value.message.startswith(repr(wrong))
    assert refused.value.message.endswith(f"; write {meant}")
    assert meant == Network().convert(meant, None, None)


def test_several_by_flag(run_command: RunCommand, service: click.Group) -> None:
    """The flag is given once for each network; without it there is none."""
    ended = run_command(service, "show", "--allow", "10.0.0.0/8", "--allow", "::1")
    assert ended.out == "('10.0.0.0/8', '::1/128')\n"
    assert run_command(service, "show").out == "()\n"


@pytest.mark.parametrize("between", [" ", ",", ", ", " , ", "\n"], ids=repr)
def test_several_by_variable(
    run_command: RunCommand, service: click.Group, monkeypatch: pytest.MonkeyPatch, between: str
) -> None:
    """In the variable blanks or commas stand between them."""
    monkeypatch.setenv("STENTOR_ALLOW", f"10.0.0.0/8{between}::1")
    assert run_command(service, "show").out == "('10.0.0.0/8', '::1/128')\n"
    monkeypatch.setenv("STENTOR_ALLOW", f"10.0.0.0/8{between}anywhere")
    ended = run_command(service, "show")
    assert ended.code == USAGE
    for named in ("--allow", "STENTOR_ALLOW", "'anywhere'"):
        assert named in ended.line
