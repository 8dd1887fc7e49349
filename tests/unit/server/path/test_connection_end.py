"""How a connection ends."""

import pytest

from stentor_chassis.counters.histogram import NANOSECONDS
from stentor_server.metrics import DURATION, SCHEMA, CloseReason
from unit.looping import Events
from unit.server.serving import NewServing, numbered

PATHS = ["tcp", "unix"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("word", "level"), [(b"", "debug"), (b"word", "info")])
async def test_log_and_duration(serving: NewServing, events: Events, path: str, word: bytes, level: str) -> None:
    """A connection that ends is one observation of its duration and one line, at `debug` if it carried no byte."""
    async with serving() as server:
        client = await server.connect(path)
        peer = "{}:{}".format(*client.connection.getsockname()) if path == "tcp" else "unix"
        server.connection(client).opened_at -= 100
        await client.send(word)
        client.shut_down_writing()
        assert await client.receive_all() == word.upper()
        await server.until(lambda: server.closed(CloseReason.EOF) == 1, "the end to be counted")
        (closed,) = events.find("connection.closed")
        durations = server.row[SCHEMA.slots(DURATION)]
        assert sum(durations[:-1]) == 1
        assert 100 < closed["duration_seconds"] == pytest.approx(durations[-1] / NANOSECONDS, abs=1e-6)
        del closed["event"], closed["duration_seconds"]
        size = len(word)
        assert closed == {"log_level": level, "peer": peer, "received_bytes": size, "sent_bytes": size, "reason": "eof"}


async def test_reset_before_the_answer(serving_kind: NewServing, events: Events, kind: str) -> None:
    """What was answered before a reset stays sent; what was read and could not be answered is unsent."""
    async with serving_kind() as server:
        client = await server.connect(kind)
        await client.exchange(b"hello")
        client.connection.send(client.encoded(b"gone"))
        client.reset()
        await server.until(lambda: server.closed(CloseReason.RESET) == 1, "the reset to be counted")
        assert (server.sent, server.unsent) == (5, server.received - 5)
        assert events.find("connection.closed", reason="reset", received_bytes=server.received, sent_bytes=5)


async def test_finish(serving_kind: NewServing, events: Events, kind: str) -> None:
    """The server finishes with a FIN; what the peer sends after that is unsent; its own FIN ends the connection."""
    async with serving_kind() as server:
        client = await server.connect(kind)
        assert await client.exchange(b"before") == b"BEFORE"
        connection = server.connection(client)
        connection.finish(CloseReason.MAX_AGE)
        assert connection.closing_since == server.now
        connection.closing_since = float("inf")  # so that it is not closed for lingering
        assert await client.receive_all() == b""
        assert getattr(client, "got_close_notify", True)
        assert await client.receive_some() == b""
        assert not client.was_reset
        for count, word in enumerate((b"after", b"wards"), 1):
            await client.send(word)
            await server.until(lambda: server.unsent == 5 * count, "the rest to be read")  # noqa: B023
        assert (server.received, server.sent, server.active) == (16, 6, 1)
        client.shut_down_writing()
        await server.until(lambda: server.closed(CloseReason.MAX_AGE) == 1, "the peer's end")
        (closed,) = events.find("connection.closed", reason="max_age", received_bytes=16, sent_bytes=6)
        assert "error" not in closed


async def test_finish_after_the_answers(serving_kind: NewServing, kind: str) -> None:
    """A slow reader gets the answers to everything received before, then the FIN, and then its time to close."""
    async with serving_kind() as server:
        client = await server.connect(kind)
        payload = await server.fill(client, numbered("late"))
        received = server.received
        connection = server.connection(client)
        connection.finish(CloseReason.DRAIN)
        connection.closing_since = 1.0  # long ago
        assert payload[:received].upper() == await client.receive_all()
        assert getattr(client, "got_close_notify", True)
        assert await client.receive_some() == b""
        assert not client.was_reset
        assert connection.closing_since == pytest.approx(server.now, abs=60)
        await server.until(server.at_rest, "the rest to be read")
        assert (server.sent, server.unsent) == (received, server.received - received)
        assert server.received > received
        client.shut_down_writing()
        await server.until(lambda: server.closed(CloseReason.DRAIN) == 1, "the peer's end")


@pytest.mark.parametrize("kind", ["tcp", "tls"])  # a Unix socket has no reset
@pytest.mark.parametrize("before", [True, False])
async def test_reset_and_finish(serving_kind: NewServing, kind: str, *, before: bool) -> None:
    """A reset counts as one, whether the peer resets before the server finishes or after."""
    async with serving_kind() as server:
        client = await server.connect(kind)
        await client.exchange(b"hello")
        connection = server.connection(client)
        if before:
            client.reset()
        connection.finish(CloseReason.DRAIN)
        if not before:
            assert await client.receive_all() == b""
            client.reset()
        await server.until(lambda: server.closed(CloseReason.RESET) == 1, "the reset to be counted")


@pytest.mark.parametrize("path", PATHS)
async def test_abort_with_pending_answers(serving: NewServing, events: Events, path: str) -> None:
    """A slow reader that is cut off is reset; sent is what the kernel accepted, to the byte, and the rest unsent."""
    async with serving() as server:
        client = await server.connect(path)
        payload = await server.fill(client, numbered("cut off"))
        server.connection(client).abort(CloseReason.WRITE_TIMEOUT)
        assert server.closed(CloseReason.WRITE_TIMEOUT) == 1
        reply = await client.receive_all()
        assert client.was_reset
        assert payload[: len(reply)].upper() == reply
        assert server.unsent == server.received - server.sent > 0
        assert path == "tcp" or server.sent == len(reply)  # a Unix socket keeps what the kernel accepted
        assert events.find("connection.closed", sent_bytes=server.sent)
