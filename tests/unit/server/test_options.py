"""The options that reach the workers."""

import json
from dataclasses import asdict

from stentor_server.options import ServerOptions
from unit.server.serving import options


def test_as_json() -> None:
    """Options mean the same after their way to a worker as JSON."""
    sent = options(allow=("192.0.2.0/24",), proxy_from=("::1/128",), tls_cert="/cert", idle_timeout_seconds=0.25)
    received = ServerOptions(**json.loads(json.dumps(asdict(sent))))
    lists = {name: tuple(getattr(received, name)) for name in ("allow", "proxy_from", "fault")}
    assert asdict(sent) == asdict(received) | lists


def test_defaults() -> None:
    """By default there are no time-outs, networks, TLS or PROXY headers."""
    plain = asdict(ServerOptions(max_connections=1, drain_timeout_seconds=1.0))
    assert {name: value for name, value in plain.items() if value} == {
        "transform": "upper",
        "max_connections": 1,
        "drain_timeout_seconds": 1.0,
        "proxy_protocol": "off",
    }
