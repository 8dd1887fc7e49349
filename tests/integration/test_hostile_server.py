"""What a server that sends without end can do to the client."""

from collections.abc import Mapping

import pytest

import lying
from certificates import Authority
from processes import run

# What fits into the buffers of the kernel at both ends, and what the client reads before it ends the connection.
MOST_BYTES = 32 << 20
COMMANDS: Mapping[str, tuple[str, ...]] = {
    "send": ("send", "hello"),
    "trace": ("trace",),
    "check": ("check", "--idle", "1s"),
    "probe": ("probe", "--count", "3", "--interval", "100ms", "--admin-port", "0"),
    "load": ("load", "--connections", "2", "--rate", "20", "--duration", "1s", "--warmup", "0"),
}


@pytest.mark.parametrize("answer", [False, True], ids=["unasked", "after-the-reply"])
@pytest.mark.parametrize("command", COMMANDS)
def test_flood(command: str, authority: Authority, *, answer: bool) -> None:
    """Every command ends a connection over which bytes arrive that belong to no reply, and ends as it should."""
    flood = lying.Flooding(answer=answer)
    tls = command != "check"  # whose connections TLS closes as below
    context = authority.serve(authority.issue("server")) if tls else None
    options = ("--tls", "--tls-ca", authority.file) if tls else ()
    with lying.LyingServer(flood, context) as server:
        ended = run("stentor-client", *COMMANDS[command], "--target", server.target, "--timeout", "2s", *options)
    assert b"Traceback" not in ended.stderr
    assert ended.returncode == 5
    # Connections that a load closes itself are spared: its first, and at its end those that are open. TLS then reads on
    # up to the server's end of them, for a second at most, and keeps nothing.
    closed = 3 if command == "load" else 0
    assert max(sorted(flood.sent)[: len(flood.sent) - closed], default=0) < MOST_BYTES
