"""The options of a probe."""

import json
from dataclasses import asdict

import pytest

from stentor_client.probe.options import ProbeOptions
from stentor_client.wire.dialer import DialOptions


@pytest.mark.parametrize(
    ("connection", "fresh", "sizes"),
    [
        ("persistent", [False] * 8, [10, 20, 30, 10, 20, 30, 10, 20]),
        ("fresh", [True] * 8, [10, 20, 30, 10, 20, 30, 10, 20]),
        ("mixed", [False, True] * 4, [10, 10, 20, 20, 30, 30, 10, 10]),
    ],
)
def test_turns(connection: str, fresh: list[bool], sizes: list[int]) -> None:
    """Connections and sizes take turns, so that each kind of connection meets each size; JSON keeps all options."""
    options = ProbeOptions(
        dial=DialOptions(target="host:1", connect_timeout_seconds=2.0, tls=True, tls_ca="ca.pem"),
        interval_seconds=1.0,
        connection=connection,
        resolve="first",
        sizes=[10, 20, 30],
        count=0,
        timeout_seconds=3.0,
        expect="upper",
    )
    assert options == ProbeOptions.read(json.loads(json.dumps(asdict(options))))
    assert fresh == [options.fresh(sequence) for sequence in range(8)]
    assert sizes == [options.size(sequence) for sequence in range(8)]
