"""Which connections are served, and what a bug costs."""

import errno
from typing import Any

import pytest

from stentor_server.guard.timeouts import Timeouts
from stentor_server.metrics import CloseReason, RejectReason
from stentor_server.path.connection import Connection
from unit.looping import Events
from unit.server.serving import NewServing


async def test_limit_of_connections(serving: NewServing, events: Events) -> None:
    """One connection too many is closed and counted, its data unread; the others go on; a place can be reused."""
    async with serving(max_connections=2) as server:
        first, second = await server.connect(), await server.connect("unix")
        rejected = server.connect_queued()
        rejected.connection.send(b"hasty")
        await rejected.receive_all()
        assert 1 == server.rejected(RejectReason.MAX_CONNECTIONS) == server.rejected()
        peer = "{}:{}".format(*rejected.connection.getsockname())
        assert events.find("connection.rejected", peer=peer, reason="max_connections", log_level="warning")
        assert (server.accepted, server.active, server.received) == (2, 2, 0)
        assert await first.exchange(b"still") == b"STILL"
        first.shut_down_writing()
        await server.until(lambda: server.active == 1, "the place to be free")
        for each in (await server.connect(), second):
            assert await each.exchange(b"in") == b"IN"


@pytest.mark.parametrize(("owner", "method"), [(Connection, "ready"), (Timeouts, "enforce")])
async def test_bug(
    serving: NewServing, events: Events, monkeypatch: pytest.MonkeyPatch, owner: type, method: str
) -> None:
    """What goes wrong with one connection, when it is ready or in a sweep, is logged, and costs that one alone."""
    original = getattr(owner, method)
    cursed: list[object] = []

    def break_down(self: object, *args: object) -> None:
        if cursed and cursed[0] in (self, *args):
            raise ZeroDivisionError
        original(self, *args)

    monkeypatch.setattr(owner, method, break_down)
    async with serving(idle_timeout_seconds=60.0) as server:
        unlucky, lucky = await server.connect(), await server.connect()
        cursed.append(server.connection(unlucky))
        await unlucky.send(b"boom")
        await server.until(lambda: server.closed(CloseReason.RESET) == 1, "it to be closed")
        await unlucky.receive_all()
        assert unlucky.was_reset
        assert await lucky.exchange(b"fine") == b"FINE"
        server.bugs = 1
        (bug,) = events.find("worker.exception", log_level="error")
        assert isinstance(bug["exc_info"], ZeroDivisionError)


NO_ROOM = OSError(errno.ENOSPC, "No room")


@pytest.mark.parametrize(
    ("path", "method", "error"),
    [
        ("tcp", "path.poller.Poller.watch", NO_ROOM),
        ("unix", "path.poller.Poller.watch", NO_ROOM),
        ("tcp", "guard.admission.Admission.add", ValueError("no place")),
        ("unix", "path.connection.Connection.__init__", ZeroDivisionError("a bug")),
    ],
)
async def test_error_while_accepting(
    serving: NewServing, events: Events, monkeypatch: pytest.MonkeyPatch, path: str, method: str, error: Any
) -> None:
    """A connection that cannot be served is closed, logged and counted as rejected, and others are served."""

    def fail(*_: object) -> None:
        raise error

    async with serving(max_connections_per_address=5) as server:
        served = await server.connect(path)
        with monkeypatch.context() as patch:
            patch.setattr(f"stentor_server.{method}", fail)
            unlucky = await server.connect(path)
        assert await unlucky.receive_all() == b""  # its descriptor is closed
        assert 1 == server.rejected(RejectReason.SERVER_ERROR) == server.rejected()
        message = getattr(error, "strerror", None) or "internal error"
        assert events.find("connection.rejected", reason="server_error", error=message)
        server.bugs = 0 if isinstance(error, OSError) else 1
        for client in (served, await server.connect(path)):
            assert await client.exchange(b"in") == b"IN"
