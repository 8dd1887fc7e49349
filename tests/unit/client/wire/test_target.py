"""Where to connect to."""

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stentor_client.wire.target import Target, TargetType

hosts = st.one_of(st.text("abcxyz019.-", min_size=1, max_size=20), st.ip_addresses(v=6).map(str))


@given(hosts, st.integers(1, 65535))
def test_host_and_port(host: str, port: int) -> None:
    """A host and a port are read and shown as they are written, an IPv6 address in brackets."""
    text = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    target = Target.parse(text)
    assert Target(host, port) == target == TargetType().convert(text, None, None)
    assert text == str(target)
    assert target is TargetType().convert(target, None, None)


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=26))
def test_unix(path: str) -> None:
    """Whatever follows `unix:` is a path."""
    assert Target("", 0, path) == Target.parse(f"unix:{path}")
    assert f"unix:{path}" == str(Target.parse(f"unix:{path}"))


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "host",
        ":80",
        "host:0",
        "host:65536",
        "host:-1",
        "host:http",
        "::1:80",
        "[]:80",
        "[::1]",
        "unix:",
        "unix:" + "é" * 54,
    ],
)
def test_not_a_target(wrong: str) -> None:
    """Anything else is refused with the forms that a target can have."""
    with pytest.raises(
        click.BadParameter,
        match=r"is not HOST:PORT, \[IPV6\]:PORT or unix:PATH|has no port from 1 to 65535|at most 107 bytes",
    ):
        TargetType().convert(wrong, None, None)
