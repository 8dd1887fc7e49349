"""What travels from the command line to the workers."""

import json
from dataclasses import FrozenInstanceError, asdict

import pytest

from stentor_server.guard.admission import Networks
from stentor_server.options import ServerOptions
from unit.server.serving import options


def test_travels_as_json() -> None:
    """What arrives at a worker means what was sent."""
    sent = options(allow=("192.0.2.0/24",), proxy_from=("::1/128",), tls_cert="/cert", idle_timeout_seconds=0.25)
    arrived = ServerOptions(**json.loads(json.dumps(asdict(sent))))
    lists = {name: tuple(getattr(arrived, name)) for name in ("allow", "proxy_from", "fault")}
    assert asdict(sent) == asdict(arrived) | lists
    assert "192.0.2.7" in Networks(arrived.allow)


def test_nothing_is_limited_by_itself() -> None:
    """Without being told, there are neither time-outs, nor networks, nor TLS, nor PROXY headers."""
    plain = asdict(ServerOptions(max_connections=1, drain_timeout_seconds=1.0))
    assert {name: value for name, value in plain.items() if value} == {
        "transform": "upper",
        "max_connections": 1,
        "drain_timeout_seconds": 1.0,
        "proxy_protocol": "off",
    }


def test_is_not_changed() -> None:
    """Options do not change under those who read them."""
    with pytest.raises(FrozenInstanceError):
        options().max_connections = 2  # type: ignore[misc]
