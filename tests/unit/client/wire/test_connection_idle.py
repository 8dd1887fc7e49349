"""How long a connection of the client had been idle when it was lost."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from stentor_chassis.counters.histogram import NANOSECONDS
from stentor_client.account import Account
from stentor_client.verify.outcomes import Outcome
from stentor_client.verify.verifier import Verdict
from stentor_client.wire import connection as connection_module
from stentor_client.wire.connection import Connection
from unit.looping import eventually
from unit.peer import Peer


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        """Begin anywhere."""
        self.now = 7 * NANOSECONDS

    def __call__(self) -> int:
        """Return nanoseconds."""
        return self.now

    def go_on(self, seconds: int) -> None:
        """Let time pass."""
        self.now += seconds * NANOSECONDS


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the connections."""
    own = Clock()
    monkeypatch.setattr(connection_module, "perf_counter_ns", own)
    return own


@asynccontextmanager
async def _connected() -> AsyncIterator[tuple[Connection, Peer]]:
    """Yield a connection and its peer."""
    ours, theirs = socket.socketpair()
    with theirs:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_unix_connection(lambda: Connection(Account()), sock=ours)
        yield connection, Peer(theirs)
        await connection.abandon(Outcome.EOF)


async def _exchange(connection: Connection, peer: Peer) -> None:
    await connection.send(b"a", [(b"A", 0, 1)])
    assert await peer.receive(1) == b"a"
    await peer.send(b"A")
    assert await connection.verdict() == Verdict(Outcome.OK)


async def test_ended_while_idle(clock: Clock) -> None:
    """Between exchanges it counts from the last byte to the end, however late somebody looks."""
    async with _connected() as (connection, peer):
        clock.go_on(50)
        await _exchange(connection, peer)
        clock.go_on(40)
        peer.shut_down_writing()
        await connection.end()
        clock.go_on(500)
        await connection.abandon(Outcome.EOF)
        assert connection.idle == 40 * NANOSECONDS


async def test_never_used(clock: Clock) -> None:
    """Before the first byte it counts from when the connection was made."""
    async with _connected() as (connection, peer):
        clock.go_on(31)
        peer.shut_down_writing()
        await connection.end()
        assert connection.idle == 31 * NANOSECONDS


async def test_forgotten_while_idle(clock: Clock) -> None:
    """What was forgotten shows at the next message: it counts up to the first, and the wait for a reply does not."""
    async with _connected() as (connection, peer):
        await _exchange(connection, peer)
        clock.go_on(60)
        await connection.send(b"b", [(b"B", 0, 1)], more=True)
        clock.go_on(5)
        await connection.send(b"c", [(b"C", 0, 1)])
        clock.go_on(100)
        await connection.abandon(Outcome.TIMEOUT)
        assert connection.idle == 60 * NANOSECONDS


async def test_slow_server(clock: Clock) -> None:
    """A connection that is given up over the reply to a message that was sent at once has not been idle."""
    async with _connected() as (connection, peer):
        await _exchange(connection, peer)
        await connection.send(b"b", [(b"B", 0, 1)])
        clock.go_on(90)
        await connection.abandon(Outcome.TIMEOUT)
        assert connection.idle == 0


async def test_reply_that_came_to_a_halt(clock: Clock) -> None:
    """After a part of a reply it counts from that."""
    async with _connected() as (connection, peer):
        await connection.send(b"bb", [(b"BB", 0, 2)])
        clock.go_on(60)
        await peer.send(b"B")
        await eventually(lambda: connection.first_byte_at, "the part of the reply")
        clock.go_on(5)
        await connection.abandon(Outcome.TIMEOUT)
        assert connection.idle == 5 * NANOSECONDS
