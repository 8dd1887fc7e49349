"""Every time-out by itself, judged by a clock of the test's."""

from collections.abc import Callable

import pytest

from stentor_server.guard.timeouts import HANDSHAKE_SECONDS, LINGER_SECONDS, Timeouts
from stentor_server.metrics import CloseReason
from stentor_server.path.connection import Connection
from unit.looping import Events
from unit.peer import Peer
from unit.server.authority import Authority
from unit.server.serving import Serving, numbered, options

NewServing = Callable[..., Serving]
AGE = 1_000_000.0  # seconds: beyond any time-out


async def _call(server: Serving) -> tuple[Peer, Connection]:
    caller = await server.call()
    return caller, server.connection(caller)


async def _stuffed(server: Serving) -> tuple[Peer, Connection]:
    """Return a peer that reads none of its answers, after the first look at it."""
    caller, connection = await _call(server)
    await server.stuff(caller, numbered("slow"))
    connection.look()
    return caller, connection


def _judge(connection: Connection, later: float, **limits: float) -> None:
    """Judge by these limits, `later` than when a byte last moved."""
    Timeouts(options(**limits)).enforce(connection, connection.active_at + later)


async def test_idle(serving: NewServing) -> None:
    """A connection that moved no byte for longer than the limit is closed, and not before."""
    async with serving() as server:
        caller, connection = await _call(server)
        _judge(connection, 9.9, idle_timeout_seconds=10.0)
        assert server.active == 1
        _judge(connection, 10.1, idle_timeout_seconds=10.0)
        assert server.closed(CloseReason.IDLE_TIMEOUT) == 1
        assert await caller.hear_all() == b""
        assert not caller.was_reset


async def test_every_chunk_is_activity(serving: NewServing) -> None:
    """A chunk that is answered sets when a byte last moved."""
    async with serving() as server:
        caller, connection = await _call(server)
        connection.active_at = 0.0
        await caller.ask(b"byte")
        assert connection.active_at == server.server.poller.now


async def test_what_moves_late_is_activity(serving: NewServing) -> None:
    """When the kernel takes what waited, that is activity, though nothing new is read."""
    async with serving(send_buffer=1) as server:
        caller = await server.call(receive_buffer=1)
        message = b"x" * 50_000  # one chunk
        await caller.say(message)
        await server.until(lambda: server.received == len(message), "all to be read")
        connection = server.connection(caller)
        assert connection.waiting
        connection.active_at = 0.0
        await caller.hear(len(message))
        await server.until(lambda: not connection.waiting, "all to be sent")
        assert connection.active_at == server.server.poller.now


async def test_no_limits(serving: NewServing) -> None:
    """Without limits nothing ends, however long it rests, waits or lasts."""
    async with serving() as server:
        _, resting = await _call(server)
        caller, waiting = await _stuffed(server)
        caller.end_saying()
        waiting.ended_at = waiting.active_at
        for connection in (resting, waiting):
            _judge(connection, AGE)
        assert server.active == 2


async def test_write(serving: NewServing) -> None:
    """A peer that reads nothing of what waits for it for longer than the limit is cut off, and not before."""
    async with serving() as server:
        caller, connection = await _stuffed(server)
        _judge(connection, 9.9, write_timeout_seconds=10.0)
        assert server.active == 1
        _judge(connection, 10.1, write_timeout_seconds=10.0)
        assert server.closed(CloseReason.WRITE_TIMEOUT) == 1
        assert server.unsent > 0
        await caller.hear_all()
        assert caller.was_reset


async def test_write_is_of_what_waits(serving: NewServing) -> None:
    """Where nothing waits, there is no time-out of writing, and none of a half-close."""
    async with serving() as server:
        _, connection = await _call(server)
        connection.ended_at = connection.active_at
        _judge(connection, AGE, write_timeout_seconds=10.0, half_close_timeout_seconds=10.0)
        assert server.active == 1


@pytest.mark.parametrize("path", ["tcp", "unix"])
async def test_slow_reader_makes_progress(serving: NewServing, path: str) -> None:
    """What a slow reader has read counts before the kernel takes more for it; a look alone counts for nothing."""
    async with serving() as server:
        caller = await server.call(path)
        await server.stuff(caller, numbered("slow"))
        (connection,) = server.server.connections
        connection.look()
        queued = connection._queued
        assert queued > 0
        connection.active_at = 0.0
        connection.look()
        assert connection.active_at == 0
        while not connection.active_at:
            assert caller.connection.recv(2048)  # without the loop, so that nothing but the look sees it
            connection.look()
        assert connection._queued != queued
        assert connection.active_at == server.server.poller.now


async def test_slow_reader_is_not_cut_off(serving: NewServing) -> None:
    """One that reads on, if slowly, is not taken for one that does not."""
    async with serving() as server:
        caller, connection = await _stuffed(server)
        connection.active_at = 0.0
        await caller.hear(1 << 18)
        Timeouts(options(write_timeout_seconds=10.0)).enforce(connection, server.server.poller.now)
        assert server.active == 1


async def test_half_close(serving: NewServing) -> None:
    """A peer that ended its side has so long from then to read its answers, also if it makes progress."""
    async with serving() as server:
        _, connection = await _stuffed(server)
        connection.ended_at = connection.active_at - 9.0
        _judge(connection, 0.9, half_close_timeout_seconds=10.0)
        assert server.active == 1
        _judge(connection, 1.1, half_close_timeout_seconds=10.0, idle_timeout_seconds=50.0)
        assert server.closed(CloseReason.HALF_CLOSE_TIMEOUT) == 1


@pytest.mark.parametrize(
    ("ended", "limits", "reason"),
    [
        (True, {"half_close": 5.0, "write": 5.0, "idle": 5.0}, CloseReason.HALF_CLOSE_TIMEOUT),
        (True, {"half_close": 50.0, "write": 5.0, "idle": 5.0}, CloseReason.WRITE_TIMEOUT),
        (False, {"half_close": 5.0, "write": 5.0, "idle": 5.0}, CloseReason.WRITE_TIMEOUT),
        (False, {"half_close": 5.0, "write": 50.0, "idle": 5.0}, CloseReason.IDLE_TIMEOUT),
        (False, {"half_close": 5.0, "idle": 5.0}, CloseReason.IDLE_TIMEOUT),
    ],
)
async def test_the_plainest_reason_wins(
    serving: NewServing, *, ended: bool, limits: dict[str, float], reason: CloseReason
) -> None:
    """Where several times have run out at once, the reason is the one that says most."""
    async with serving() as server:
        _, connection = await _stuffed(server)
        connection.ended_at = connection.active_at if ended else 0.0
        _judge(connection, 10.0, **{f"{name}_timeout_seconds": limit for name, limit in limits.items()})
        assert server.closed(reason) == 1


async def test_max_age(serving: NewServing) -> None:
    """One that has lasted longer than the limit gets an orderly end, active or not, and not before."""
    async with serving() as server:
        caller, connection = await _call(server)
        timeouts = Timeouts(options(max_age_seconds=10.0))
        timeouts.enforce(connection, connection.opened_at + 9.9)
        assert not connection.leaving_since
        timeouts.enforce(connection, connection.opened_at + 10.1)
        assert connection.leaving_since
        assert server.active == 1
        assert await caller.hear_all() == b""
        caller.end_saying()
        await server.until(lambda: server.closed(CloseReason.MAX_AGE) == 1, "the peer's end")


async def test_max_age_once(serving: NewServing) -> None:
    """One that has got its end because of its age is not told again, and is closed when it does not end its side."""
    async with serving() as server:
        _, connection = await _call(server)
        connection.leave(CloseReason.MAX_AGE)
        leaving_since = connection.leaving_since
        timeouts = Timeouts(options(max_age_seconds=10.0))
        server.server.poller.now += 0.1
        timeouts.enforce(connection, leaving_since + LINGER_SECONDS - 0.01)
        assert (server.active, connection.leaving_since) == (1, leaving_since)
        timeouts.enforce(connection, leaving_since + LINGER_SECONDS + 0.01)
        assert server.closed(CloseReason.MAX_AGE) == 1


async def test_answers_outlast_the_linger(serving: NewServing) -> None:
    """One that has been left is not closed while its answers wait, unless it does not read them."""
    async with serving() as server:
        _, connection = await _stuffed(server)
        connection.leave(CloseReason.DRAIN)
        Timeouts(options()).enforce(connection, connection.leaving_since + AGE)
        assert server.active == 1
        _judge(connection, 11.0, write_timeout_seconds=10.0)
        assert server.closed(CloseReason.DRAIN) == 1


@pytest.mark.parametrize("limits", [{}, {"idle_timeout_seconds": AGE}])
async def test_handshake(serving: NewServing, authority: Authority, events: Events, limits: dict[str, float]) -> None:
    """A handshake that does not come to its end in time is given up, whatever the limits, and the log says why."""
    async with serving(tls_cert=authority.cert, tls_key=authority.key) as server:
        _, connection = await _call(server)
        timeouts = Timeouts(options(**limits))
        timeouts.enforce(connection, connection.opened_at + HANDSHAKE_SECONDS - 0.1)
        assert server.active == 1
        timeouts.enforce(connection, connection.opened_at + HANDSHAKE_SECONDS + 0.1)
        assert server.closed(CloseReason.TLS_ERROR) == 1
        assert events.find("connection.closed", reason="tls_error", error="the handshake took too long")


@pytest.mark.parametrize(
    ("limits", "seconds"),
    [
        ({}, 1.0),
        ({"idle_timeout_seconds": 4.0}, 0.5),
        ({"write_timeout_seconds": 2.0, "idle_timeout_seconds": 4.0}, 0.25),
        ({"half_close_timeout_seconds": 0.8}, 0.1),
        ({"max_age_seconds": 1.6}, 0.2),
        ({"max_age_seconds": 0.001}, 0.02),
        ({"idle_timeout_seconds": 600.0}, 1.0),
    ],
)
def test_sweeps(limits: dict[str, float], seconds: float) -> None:
    """The shortest time-out is kept to an eighth; more than a second between looks there never is, nor a busy loop."""
    assert seconds == pytest.approx(Timeouts(options(**limits)).sweep_seconds)
