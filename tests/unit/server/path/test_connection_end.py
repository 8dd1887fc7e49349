"""How a connection ends."""

from collections.abc import Callable

import pytest

from stentor_chassis.counters.histogram import NANOSECONDS
from stentor_server.metrics import DURATION, SCHEMA, CloseReason
from unit.looping import Events
from unit.server.serving import Serving, numbered

NewServing = Callable[..., Serving]
PATHS = ["tcp", "unix"]


async def test_end_without_a_byte(serving: NewServing, events: Events) -> None:
    """A peer that says nothing and ends is an orderly end, with a line in the log and an entry in the histogram."""
    async with serving() as server:
        client = await server.connect()
        host, port = client.connection.getsockname()
        client.shut_down_writing()
        assert await client.receive_all() == b""
        await server.until(lambda: server.closed(CloseReason.EOF) == 1, "the end to be counted")
        (closed,) = events.find("connection.closed")
        durations = server.row[SCHEMA.slots(DURATION)]
        assert sum(durations[:-1]) == 1
        assert closed.pop("duration_seconds") == pytest.approx(durations[-1] / NANOSECONDS, abs=1e-6)
        assert closed == {
            "event": "connection.closed",
            "log_level": "info",
            "peer": f"{host}:{port}",
            "received_bytes": 0,
            "sent_bytes": 0,
            "reason": "eof",
        }


async def test_duration(serving: NewServing, events: Events) -> None:
    """How long it lasted is counted from when it was taken."""
    async with serving() as server:
        client = await server.connect()
        server.connection(client).opened_at -= 100
        client.shut_down_writing()
        await server.until(lambda: server.active == 0, "the end")
        assert 100 < events.find("connection.closed")[0]["duration_seconds"] < 150
        assert 100 * NANOSECONDS < server.row[SCHEMA.slots(DURATION)][-1] < 150 * NANOSECONDS


async def test_unix_peer_has_no_address(serving: NewServing, events: Events) -> None:
    """A peer on the Unix socket is named as such in the log."""
    async with serving() as server:
        (await server.connect("unix")).shut_down_writing()
        await server.until(lambda: events.find("connection.closed", peer="unix"), "the line in the log")


@pytest.mark.parametrize("path", PATHS)
async def test_half_close(serving: NewServing, path: str) -> None:
    """A peer that says something and ends gets the whole answer, and then our end."""
    async with serving() as server:
        client = server.connect_queued(path)
        await client.send(b"last words")
        client.shut_down_writing()
        assert await client.receive_all() == b"LAST WORDS"
        assert not client.was_reset
        await server.until(lambda: server.closed(CloseReason.EOF) == 1, "the end to be counted")


async def test_reset(serving: NewServing, events: Events) -> None:
    """A peer that resets is counted as such, and what had been answered stays counted as sent."""
    async with serving() as server:
        client = await server.connect()
        await client.exchange(b"hello")
        client.reset()
        await server.until(lambda: server.closed(CloseReason.RESET) == 1, "the reset to be counted")
        assert (server.received, server.sent, server.unsent) == (5, 5, 0)
        assert events.find("connection.closed", reason="reset", received_bytes=5, sent_bytes=5)


@pytest.mark.parametrize("path", PATHS)
async def test_reset_before_the_answer(serving: NewServing, events: Events, path: str) -> None:
    """What was read from a peer that is not there any more, and could not be answered, is unsent."""
    async with serving() as server:
        client = server.connect_queued(path)
        await client.send(b"gone")
        client.reset()
        await server.until(lambda: server.closed(CloseReason.RESET) == 1, "the reset to be counted")
        assert (server.received, server.sent, server.unsent) == (4, 0, 4)
        assert events.find("connection.closed", reason="reset", received_bytes=4, sent_bytes=0)


async def test_many_resets(serving: NewServing) -> None:
    """A storm of resets, at any stage, leaves nothing behind and disturbs nobody."""
    async with serving() as server:
        other = await server.connect()
        for number in range(200):
            client = await server.connect(PATHS[number % 2])
            if number % 3:
                await client.send(b"x" * (number % 3) * 1000)
            client.reset()
        await server.until(lambda: server.accepted == 201 and server.active == 1, "all to be gone")
        assert server.closed(CloseReason.RESET) + server.closed(CloseReason.EOF) == 200
        assert await other.exchange(b"still here") == b"STILL HERE"


@pytest.mark.parametrize("path", PATHS)
async def test_leave(serving: NewServing, events: Events, path: str) -> None:
    """When the server leaves, the peer gets its end; what it says after that is unsent; its own end ends all."""
    async with serving() as server:
        client = await server.connect(path)
        assert await client.exchange(b"before") == b"BEFORE"
        connection = server.connection(client)
        connection.finish(CloseReason.MAX_AGE)
        assert connection.closing_since == server.now
        connection.closing_since = float("inf")  # so that it is not closed for taking too long
        assert await client.receive_all() == b""
        assert not client.was_reset
        for count, word in enumerate((b"after", b"wards"), 1):
            await client.send(word)
            await server.until(lambda: server.unsent == 5 * count, "the rest to be read")  # noqa: B023
        assert (server.received, server.sent, server.active) == (16, 6, 1)
        client.shut_down_writing()
        await server.until(lambda: server.closed(CloseReason.MAX_AGE) == 1, "the peer's end")
        assert events.find("connection.closed", reason="max_age", received_bytes=16, sent_bytes=6)


@pytest.mark.parametrize("path", PATHS)
async def test_leave_after_the_answers(serving: NewServing, path: str) -> None:
    """A peer that reads late gets the answers to all that was received when the server left, and then the end."""
    async with serving() as server:
        client = await server.connect(path)
        payload = await server.fill(client, numbered("late"))
        received = server.received
        connection = server.connection(client)
        connection.finish(CloseReason.DRAIN)
        reply = await client.receive_all()
        assert payload[:received].upper() == reply
        assert not client.was_reset
        await server.until(lambda: server.received == len(payload), "the rest to be read")
        assert (server.sent, server.unsent) == (received, len(payload) - received)
        client.shut_down_writing()
        await server.until(lambda: server.closed(CloseReason.DRAIN) == 1, "the peer's end")


async def test_linger_begins_with_our_end(serving: NewServing) -> None:
    """A peer that takes its time over the answers has all of the time to end its side after it has got our end."""
    async with serving() as server:
        client = await server.connect()
        await server.fill(client, numbered("late"))
        connection = server.connection(client)
        connection.finish(CloseReason.DRAIN)
        connection.closing_since = 1.0  # long ago
        await client.receive_all()
        assert server.active == 1
        assert connection.closing_since == pytest.approx(server.now, abs=10)


async def test_leave_one_that_is_gone(serving: NewServing, events: Events) -> None:
    """Leaving a peer that has just reset is no error, and counts as the reset that it is."""
    async with serving() as server:
        client = await server.connect()
        connection = server.connection(client)
        client.reset()
        connection.finish(CloseReason.DRAIN)
        await server.until(lambda: server.closed(CloseReason.RESET) == 1, "the reset to be counted")


async def test_reset_after_we_left(serving: NewServing) -> None:
    """A peer that answers our end with a reset is counted as such."""
    async with serving() as server:
        client = await server.connect()
        server.connection(client).finish(CloseReason.DRAIN)
        assert await client.receive_all() == b""
        client.reset()
        await server.until(lambda: server.closed(CloseReason.RESET) == 1, "the reset to be counted")


async def test_abort_counts_what_the_kernel_took(serving: NewServing, events: Events) -> None:
    """Sent is what the kernel took, to the byte, and the rest is unsent, when a slow reader is cut off."""
    async with serving() as server:
        client = await server.connect("unix")
        payload = await server.fill(client, numbered("cut off"))
        server.connection(client).abort(CloseReason.IDLE_TIMEOUT)
        assert server.closed(CloseReason.IDLE_TIMEOUT) == 1
        reply = await client.receive_all()
        assert server.sent == len(reply)
        assert server.unsent == server.received - len(reply) > 0
        assert payload[: len(reply)].upper() == reply
        (closed,) = events.find("connection.closed")
        assert len(reply) == closed["sent_bytes"]


async def test_abort_resets_where_answers_wait(serving: NewServing) -> None:
    """A peer whose answers are given up must not take what it got for the whole: it is reset."""
    async with serving() as server:
        client = await server.connect()
        await server.fill(client, numbered("cut off"))
        server.connection(client).abort(CloseReason.WRITE_TIMEOUT)
        await client.receive_all()
        assert client.was_reset


async def test_abort_ends_where_nothing_waits(serving: NewServing) -> None:
    """A peer that has got all its answers is not reset."""
    async with serving() as server:
        client = await server.connect()
        await client.exchange(b"all")
        server.connection(client).abort(CloseReason.IDLE_TIMEOUT)
        assert await client.receive_all() == b""
        assert not client.was_reset
