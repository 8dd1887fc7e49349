"""One connection of the client."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from stentor_client.account import Account
from stentor_client.metrics import ACTIVE, AGE, OPENED, RETRANSMITS, RTT, SCHEMA
from stentor_client.verify.outcomes import Outcome
from stentor_client.verify.verifier import EXCERPT_BYTES, Verdict
from stentor_client.wire.connection import MOST_SURPLUS_BYTES, RECEIVE_BYTES, WRITE_HIGH_BYTES, Connection
from stentor_client.wire.tcp_info import TcpInfo
from unit.looping import eventually
from unit.peer import Peer

OK = Verdict(Outcome.OK)


class Pair:
    """A connection of the client, and the other end of it."""

    def __init__(self, connection: Connection, peer: Peer, account: Account) -> None:
        """Keep the three."""
        self.connection = connection
        self.peer = peer
        self.account = account

    def count(self, metric: object) -> int:
        """Return what the account has of a metric."""
        return self.account.row[SCHEMA.slot(metric)]  # type: ignore[arg-type]

    async def send(self, data: bytes, *, more: bool = False) -> None:
        """Send, and expect upper case."""
        await self.connection.send(data, [(data.upper(), 0, len(data))], more=more)

    async def upper(self) -> None:
        """Be a server at the other end, until the client ends."""
        while data := await self.peer.receive(1):
            await self.peer.send(data.upper())


@asynccontextmanager
async def connected(on_reply: Callable[[memoryview], object] | None = None) -> AsyncIterator[Pair]:
    """Yield a connected pair; in the end the connection is closed, and its account too."""
    ours, theirs = socket.socketpair()
    with theirs:
        account = Account()
        _, connection = await asyncio.get_running_loop().create_unix_connection(
            lambda: Connection(account, on_reply), sock=ours
        )
        pair = Pair(connection, Peer(theirs), account)
        assert (pair.count(OPENED), pair.count(ACTIVE)) == (1, 1)
        yield pair
        await connection.abandon(Outcome.EOF)
        assert (pair.count(OPENED), pair.count(ACTIVE)) == (1, 0)
        assert sum(account.row[slot] for slot in range(SCHEMA.slot(AGE), SCHEMA.slots(AGE).stop - 1)) == 1


async def test_good_reply() -> None:
    """A good reply is a good verdict, its bytes are counted, and its times lie in order."""
    async with connected() as pair:
        began = time.perf_counter_ns()
        await pair.send(b"hello")
        assert await pair.peer.receive(5) == b"hello"
        assert pair.connection.first_byte_at == 0
        await pair.peer.send(b"HE")
        await eventually(lambda: pair.connection.first_byte_at, "the first byte")
        await pair.peer.send(b"LLO")
        assert await pair.connection.verdict() == OK
        times = [began, pair.connection.first_byte_at, pair.connection.answered_at, time.perf_counter_ns()]
        assert sorted(times) == times
        assert (pair.account.sent_bytes, pair.account.received_bytes) == (5, 5)
        await pair.send(b"again")
        assert pair.connection.first_byte_at == 0


async def test_writes_while_it_reads() -> None:
    """A message much larger than every buffer does not deadlock with a server that answers as it reads."""

    async def upper(peer: Peer, size: int) -> None:
        while size:
            data = await peer.receive(min(size, 1 << 16))
            size -= len(data)
            await peer.send(data.upper())

    message = bytes(range(256)) * (1 << 14)
    async with connected() as pair:
        serving = asyncio.create_task(upper(pair.peer, len(message)))
        await pair.send(message)
        assert await pair.connection.verdict() == OK
        assert (len(message),) * 2 == (pair.account.sent_bytes, pair.account.received_bytes)
        await serving


async def test_backpressure() -> None:
    """A peer that does not read is sent only what fits; bytes that the kernel has not accepted do not count."""
    async with connected() as pair:
        chunk = b"c" * (1 << 16)

        async def flood() -> None:
            for _ in range(64):
                await pair.send(chunk, more=True)

        flooding = asyncio.create_task(flood())
        await eventually(lambda: not pair.connection._writable.is_set(), "the writing to pause")
        transport = pair.connection._transport
        assert WRITE_HIGH_BYTES < transport.get_write_buffer_size() <= WRITE_HIGH_BYTES + len(chunk)
        assert not flooding.done()
        taken = pair.account.sent_bytes
        assert 0 < taken < 64 * len(chunk)
        assert 64 * len(chunk) == len(await pair.peer.receive(64 * len(chunk)))
        await flooding
        await eventually(lambda: transport.get_write_buffer_size() == 0, "all to be taken")
        await pair.peer.send(b"C")
        await eventually(lambda: pair.account.received_bytes, "the reply")
        assert 64 * len(chunk) == pair.account.sent_bytes


async def test_bytes_since_the_last_event_are_sent() -> None:
    """What the kernel accepted since the last event counts as sent too when the connection is abandoned."""
    async with connected() as pair:
        await pair.send(b"c" * (1 << 20))
        waiting = pair.connection._transport.get_write_buffer_size
        before, heard = waiting(), 0
        while waiting() == before:
            heard += len(await pair.peer.receive(4096))
        await pair.connection.abandon(Outcome.TIMEOUT)
        assert pair.account.sent_bytes == heard + len(await pair.peer.receive_all())


@pytest.mark.parametrize(("reply", "outcome"), [(b"", Outcome.EOF), (b"HE", Outcome.SHORT)])
async def test_peer_ends(reply: bytes, outcome: Outcome) -> None:
    """If the peer ends before the reply is complete, the verdict has the offset, and later ones the end."""
    async with connected() as pair:
        await pair.send(b"hello")
        await pair.peer.receive(5)
        await pair.peer.send(reply)
        pair.peer.shut_down_writing()
        assert Verdict(outcome, len(reply), b"HELLO"[len(reply) :]) == await pair.connection.verdict()
        assert Outcome.EOF is await pair.connection.end() is pair.connection.lost_by
        assert Verdict(Outcome.EOF, 0) == await pair.connection.verdict()


async def test_reset() -> None:
    """If the peer resets, outstanding replies have that outcome, and a wait to send more ends."""
    async with connected() as pair:
        await pair.send(b"c" * (1 << 20))
        sending = asyncio.create_task(pair.send(b"more"))
        await asyncio.sleep(0)
        assert not sending.done()
        pair.peer.connection.close()  # with bytes unread, which a Unix socket answers with a reset
        await sending
        verdict = await pair.connection.verdict()
        assert (verdict.outcome, verdict.offset) == (Outcome.RESET, 0)
        assert Outcome.RESET is await pair.connection.end()


async def test_sending_on_a_lost_connection() -> None:
    """Sending after the peer has ended raises nothing; the verdict says so."""
    async with connected() as pair:
        pair.peer.shut_down_writing()
        assert Outcome.EOF is await pair.connection.end()
        await pair.send(b"late")
        assert Verdict(Outcome.EOF, 0) == await pair.connection.verdict()
        assert pair.account.sent_bytes == 0
        pair.connection.end_sending()


async def test_abandon() -> None:
    """The reason for abandoning a connection is the verdict on outstanding replies; the first reason stays."""
    async with connected() as pair:
        await pair.send(b"hello")
        await pair.connection.abandon(Outcome.TIMEOUT)
        assert Verdict(Outcome.TIMEOUT, 0, b"HELLO") == await pair.connection.verdict()
        await pair.connection.abandon(Outcome.RESET)
        assert Outcome.TIMEOUT is pair.connection.lost_by
        assert pair.count(ACTIVE) == 0


async def test_close() -> None:
    """Closing ends the connection in order, after what was sent, and is no loss."""
    async with connected() as pair:
        await pair.send(b"last")
        await pair.connection.close()
        assert await pair.peer.receive_all() == b"last"
        assert not pair.peer.was_reset
        assert pair.connection.lost_by is None
        assert pair.count(ACTIVE) == 0


@pytest.mark.parametrize("end", ["close", "abandon"])
async def test_retransmits(monkeypatch: pytest.MonkeyPatch, end: str) -> None:
    """The kernel reports all retransmits so far; each is counted once, including those up to the end."""
    reported = iter([2, 5, 9])
    monkeypatch.setattr(TcpInfo, "of", lambda _stream: TcpInfo(100, next(reported)))
    async with connected() as pair:
        pair.connection.look_at_kernel()
        pair.connection.look_at_kernel()
        assert pair.count(RETRANSMITS) == 5
        await (pair.connection.close() if end == "close" else pair.connection.abandon(Outcome.TIMEOUT))
        assert (pair.count(RETRANSMITS), pair.count(RTT)) == (9, 100)


async def test_flood() -> None:
    """A peer that sends without end is cut off, and known by what it sent."""
    async with connected() as pair:
        with pytest.raises(ConnectionError):
            await pair.peer.send(b"A" * (1 << 26))
        assert pair.connection.lost_by is Outcome.EXTRA
        assert Verdict(Outcome.EXTRA, 0, b"", b"A" * EXCERPT_BYTES) == await pair.connection.verdict()
        assert pair.account.received_bytes <= MOST_SURPLUS_BYTES + RECEIVE_BYTES
