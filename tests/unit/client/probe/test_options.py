"""What the command line says to a probe."""

import json
from dataclasses import asdict
from typing import Any

import pytest

from stentor_client.probe.options import CONNECTIONS, ProbeOptions
from stentor_client.wire.dialer import DialOptions


def options(**changes: Any) -> ProbeOptions:
    """Return options, of which some are changed."""
    given = {
        "dial": DialOptions(target="host:1", connect_timeout_seconds=2.0, tls=True, tls_ca="ca.pem"),
        "interval_seconds": 1.0,
        "connection": "persistent",
        "resolve": "first",
        "sizes": [10, 20, 30],
        "count": 0,
        "timeout_seconds": 3.0,
        "expect": "upper",
    }
    return ProbeOptions(**{**given, **changes})


def test_options_travel() -> None:
    """Options survive the way to the worker, as JSON."""
    assert options() == ProbeOptions.read(json.loads(json.dumps(asdict(options()))))


@pytest.mark.parametrize(
    ("connection", "fresh", "sizes"),
    [
        ("persistent", [False] * 8, [10, 20, 30, 10, 20, 30, 10, 20]),
        ("fresh", [True] * 8, [10, 20, 30, 10, 20, 30, 10, 20]),
        ("mixed", [False, True] * 4, [10, 10, 20, 20, 30, 30, 10, 10]),
    ],
)
def test_turns(connection: str, fresh: list[bool], sizes: list[int]) -> None:
    """Connections and sizes take turns, so that each kind of connection meets each size."""
    given = options(connection=connection)
    assert fresh == [given.fresh(sequence) for sequence in range(8)]
    assert sizes == [given.size(sequence) for sequence in range(8)]
    assert connection in CONNECTIONS
