"""Where to connect to."""

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stentor_client.wire.target import Target, TargetType

names = st.text("abcxyz019.-", min_size=1, max_size=20)
ports = st.integers(1, 65535)


@given(names, ports)
def test_host_and_port(name: str, port: int) -> None:
    """A host and a port are read and shown as they are written."""
    text = f"{name}:{port}"
    assert Target(name, port) == Target.parse(text)
    assert text == str(Target.parse(text))


@given(st.ip_addresses(v=6).map(str), ports)
def test_ipv6(address: str, port: int) -> None:
    """An address of IPv6 stands in brackets."""
    text = f"[{address}]:{port}"
    assert Target(address, port) == Target.parse(text)
    assert text == str(Target.parse(text))


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_unix(path: str) -> None:
    """Whatever follows `unix:` is a path."""
    assert Target("", 0, path) == Target.parse(f"unix:{path}")
    assert f"unix:{path}" == str(Target.parse(f"unix:{path}"))


@pytest.mark.parametrize(
    "wrong",
    ["", "host", ":80", "host:", "host:0", "host:65536", "host:-1", "host:http", "::1:80", "[]:80", "[::1]", "unix:"],
)
def test_no_target(wrong: str) -> None:
    """What is no target is refused with what one is."""
    with pytest.raises(ValueError, match=r"is not HOST:PORT, \[IPV6\]:PORT or unix:PATH"):
        Target.parse(wrong)
    with pytest.raises(click.BadParameter, match="is not HOST:PORT"):
        TargetType().convert(wrong, None, None)


def test_target_on_the_command_line() -> None:
    """The command line's type parses, and leaves alone what has been parsed."""
    target = Target("host", 80)
    assert target == TargetType().convert("host:80", None, None) == TargetType().convert(target, None, None)
