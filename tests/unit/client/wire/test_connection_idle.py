"""How long a connection of the client had been idle when it was lost."""

import pytest

from stentor_chassis.counters.histogram import NANOSECONDS
from stentor_client.verify.outcomes import Outcome
from stentor_client.wire import connection as connection_module
from unit.client.wire.test_connection import Pair, connected
from unit.looping import eventually


class Clock:
    """A clock that moves when the test says so."""

    now = 7 * NANOSECONDS

    def __call__(self) -> int:
        """Return nanoseconds."""
        return self.now

    def advance(self, seconds: int) -> None:
        """Let time pass."""
        self.now += seconds * NANOSECONDS


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the connections."""
    own = Clock()
    monkeypatch.setattr(connection_module, "perf_counter_ns", own)
    return own


async def _exchange(pair: Pair) -> None:
    await pair.send(b"a")
    await pair.peer.receive(1)
    await pair.peer.send(b"A")
    await pair.connection.verdict()


@pytest.mark.parametrize("used", [False, True])
async def test_ended_while_idle(clock: Clock, used: bool) -> None:  # noqa: FBT001
    """It counts from the last byte, or from the beginning if there was none, to the end, however late one looks."""
    async with connected() as pair:
        if used:
            clock.advance(50)
            await _exchange(pair)
        clock.advance(40)
        pair.peer.shut_down_writing()
        await pair.connection.end()
        clock.advance(500)
        await pair.connection.abandon(Outcome.EOF)
        assert pair.connection.idle == 40 * NANOSECONDS


@pytest.mark.parametrize("seconds", [0, 60])
async def test_unanswered(clock: Clock, seconds: int) -> None:
    """If a message is not answered it counts up to that message: the wait for the reply does not count."""
    async with connected() as pair:
        await _exchange(pair)
        clock.advance(seconds)
        await pair.send(b"b", more=True)
        clock.advance(5)
        await pair.send(b"c")
        clock.advance(100)
        await pair.connection.abandon(Outcome.TIMEOUT)
        assert pair.connection.idle == seconds * NANOSECONDS


async def test_reply_that_stalls(clock: Clock) -> None:
    """After a part of a reply it counts from that."""
    async with connected() as pair:
        await pair.send(b"bb")
        clock.advance(60)
        await pair.peer.send(b"B")
        await eventually(lambda: pair.connection.first_byte_at, "the part of the reply")
        clock.advance(5)
        await pair.connection.abandon(Outcome.TIMEOUT)
        assert pair.connection.idle == 5 * NANOSECONDS
