"""`probe` on the command line."""

import json

from lying import LyingServer, flip
from processes import run
from unit.client.wire.naming import refusing

QUICK = ("--count", "2", "--rate", "100", "--sizes", "64", "--admin-port", "0", "--log-format", "json")


def test_options_reach_the_probe() -> None:
    """The probe does what the command line says, ends with its worst outcome, and writes nothing but its log."""
    target = "{}:{}".format(*refusing())
    options = ("--connection", "mixed", "--resolve", "all", "--proxy-protocol", "v1", "--expect", "echo")
    ended = run("stentor-client", "probe", "--target", target, *QUICK, *options)
    assert (ended.returncode, ended.stdout) == (3, b"")
    events = [json.loads(line) for line in ended.stderr.splitlines()]
    (started,) = [event for event in events if event["event"] == "probe.started"]
    said = {"connection": "mixed", "resolve": "all", "proxy_protocol": "v1", "expect": "echo", "tls": False}
    assert (said | {"count": 2, "interval_seconds": 0.01, "sizes": [64]}).items() <= started.items()


def test_wrong_replies() -> None:
    """A wrong reply is the worst outcome."""
    with LyingServer(flip) as server:
        assert run("stentor-client", "probe", "--target", server.target, *QUICK).returncode == 5
