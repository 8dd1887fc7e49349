"""The way of a byte through one connection."""

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stentor_chassis.histogram import NANOSECONDS
from stentor_server.connection import WRITE_HIGH_BYTES
from stentor_server.metrics import DURATION, SCHEMA, CloseReason
from stentor_server.server import BUFFER_BYTES
from unit.looping import Events, Loop
from unit.server.serving import Serving, numbered

NewServing = Callable[..., Serving]
PATHS = ["tcp", "unix"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("size", [1, 64, 1024, WRITE_HIGH_BYTES, BUFFER_BYTES - 1, BUFFER_BYTES + 1, 3_000_000])
def test_answers_in_upper_case(loop: Loop, serving: NewServing, path: str, size: int) -> None:
    """Whatever its size, a message comes back in upper case, and every byte of it is counted as sent."""
    message = (bytes(range(256)) * (size // 256 + 1))[:size]

    async def scenario() -> None:
        async with serving() as server:
            caller = await server.call(path)
            assert message.upper() == await caller.ask(message)
            await server.until(lambda: server.sent == size, "all to be counted as sent")
            assert (size, 0, 0) == (server.received, server.unsent, server.waiting)

    loop.run(scenario())


def test_echo(loop: Loop, serving: NewServing) -> None:
    """An echoing server changes no byte."""

    async def scenario() -> None:
        message = bytes(range(256))
        async with serving(transform="echo") as server:
            assert message == await (await server.call()).ask(message)

    loop.run(scenario())


def test_fast_path_keeps_the_buffer(loop: Loop, serving: NewServing) -> None:
    """Peers that read their answers all share one buffer, which is never replaced."""

    async def scenario() -> None:
        async with serving() as server:
            before = server.server.buffer
            callers = [await server.call("unix") for _ in range(3)]
            for number in range(20):
                message = b"message %d" % number
                assert message.upper() == await callers[number % 3].ask(message)
            assert server.server.buffer is before

    loop.run(scenario())


@pytest.mark.parametrize("path", PATHS)
def test_slow_reader_gets_its_own_bytes(loop: Loop, serving: NewServing, path: str) -> None:
    """What waits for a slow reader is in a buffer of its own: others' exchanges do not change it."""

    async def scenario() -> None:
        async with serving() as server:
            buffer = server.server.buffer
            slow = [await server.call(path) for _ in range(2)]
            said = [await server.stuff(each, numbered(f"slow {n}")) for n, each in enumerate(slow)]
            assert server.server.buffer is not buffer
            quick = await server.call(path)
            for number in range(50):
                message = b"quick %d" % number * 999
                assert message.upper() == await quick.ask(message)
            for each in slow:
                each.end_saying()
            heard = await asyncio.gather(*(each.hear_all() for each in slow))
            assert [text.upper() for text in said] == heard
            assert server.unsent == 0

    loop.run(scenario())


@pytest.mark.parametrize("path", PATHS)
def test_slow_reader_is_not_read_from(loop: Loop, serving: NewServing, path: str) -> None:
    """A peer that does not read is read from no more, so that no more than the limit and a chunk waits for it."""

    async def scenario() -> None:
        async with serving() as server:
            caller = await server.call(path)
            said = await server.stuff(caller, numbered("stuffed"))
            assert server.pauses == 1
            assert WRITE_HIGH_BYTES < server.waiting <= WRITE_HIGH_BYTES + BUFFER_BYTES
            assert server.received < len(said)
            await caller.hear(len(said))
            await server.until(lambda: server.sent == len(said), "the rest to be read and answered")
            assert await caller.ask(b"goes on") == b"GOES ON"

    loop.run(scenario())


def test_half_close(loop: Loop, serving: NewServing) -> None:
    """After the peer's end everything received is still answered, also to one that reads late; then comes our end."""

    async def scenario() -> None:
        async with serving() as server:
            caller = await server.call("unix")
            said = await server.stuff(caller, numbered("late"))
            caller.end_saying()
            assert said.upper() == await caller.hear_all()
            assert not caller.was_reset
            await server.until(lambda: server.closed(CloseReason.EOF) == 1, "the end to be counted")
            assert server.unsent == 0

    loop.run(scenario())


def test_end_without_a_byte(loop: Loop, serving: NewServing, events: Events) -> None:
    """A peer that says nothing and ends is an orderly end, with a line in the log and an entry in the histogram."""

    async def scenario() -> None:
        async with serving() as server:
            caller = await server.call()
            host, port = caller.connection.getsockname()
            caller.end_saying()
            assert await caller.hear_all() == b""
            await server.until(lambda: server.closed(CloseReason.EOF) == 1, "the end to be counted")
            (closed,) = events.find("connection.closed")
            assert (f"{host}:{port}", 0, 0) == (closed["peer"], closed["received_bytes"], closed["sent_bytes"])
            assert closed["reason"] == CloseReason.EOF
            durations = server.row[SCHEMA.slots(DURATION)]
            assert sum(durations[:-1]) == 1
            assert closed["duration_seconds"] == pytest.approx(durations[-1] / NANOSECONDS, abs=1e-6)

    loop.run(scenario())


def test_unix_peer_has_no_address(loop: Loop, serving: NewServing, events: Events) -> None:
    """A peer on the Unix socket is named as such in the log."""

    async def scenario() -> None:
        async with serving() as server:
            (await server.call("unix")).end_saying()
            await server.until(lambda: events.find("connection.closed", peer="unix"), "the line in the log")

    loop.run(scenario())


def test_reset(loop: Loop, serving: NewServing) -> None:
    """A peer that resets is counted as such, and what had been answered stays counted as sent."""

    async def scenario() -> None:
        async with serving() as server:
            caller = await server.call()
            await caller.ask(b"hello")
            caller.reset()
            await server.until(lambda: server.closed(CloseReason.RESET) == 1, "the reset to be counted")
            assert (server.received, server.sent, server.unsent) == (5, 5, 0)

    loop.run(scenario())


@pytest.mark.parametrize("path", PATHS)
def test_slow_reader_that_goes_away(loop: Loop, serving: NewServing, path: str) -> None:
    """What waited for a peer that went away is unsent."""

    async def scenario() -> None:
        async with serving() as server:
            caller = await server.call(path)
            await server.stuff(caller, numbered("gone"))
            caller.reset()
            await server.until(lambda: server.closed(CloseReason.RESET) == 1, "the loss to be counted")
            assert server.unsent > 0
            assert server.waiting == 0

    loop.run(scenario())


def test_abort_counts_what_the_kernel_took(loop: Loop, serving: NewServing, events: Events) -> None:
    """Sent is what the kernel took, to the byte, and the rest is unsent, when a slow reader is cut off."""

    async def scenario() -> None:
        async with serving() as server:
            caller = await server.call("unix")
            said = await server.stuff(caller, numbered("cut off"))
            (connection,) = server.server.connections
            connection.abort(CloseReason.IDLE_TIMEOUT)
            await server.until(lambda: server.closed(CloseReason.IDLE_TIMEOUT) == 1, "the abort to be counted")
            heard = await caller.hear_all()
            assert server.sent == len(heard)
            assert server.unsent == server.received - len(heard) > 0
            assert said[: len(heard)].upper() == heard
            (closed,) = events.find("connection.closed")
            assert len(heard) == closed["sent_bytes"]

    loop.run(scenario())


def test_abort_counts_what_went_unseen(loop: Loop, serving: NewServing) -> None:
    """What the kernel took since the last look at a slow reader counts as sent too when it is cut off."""

    async def scenario() -> None:
        async with serving() as server:
            caller = await server.call("unix")
            await server.stuff(caller, numbered("cut off"))
            (connection,) = server.server.connections
            before = connection._buffered()
            heard = b""
            while connection._buffered() == before:
                heard += await caller.hear(4096)
            connection.abort(CloseReason.IDLE_TIMEOUT)
            heard += await caller.hear_all()
            await server.until(lambda: server.active == 0, "the abort to be counted")
            assert server.sent == len(heard)

    loop.run(scenario())


def test_progress_is_seen_between_chunks(loop: Loop, serving: NewServing) -> None:
    """A look at a slow reader that has read on moves bytes from waiting to sent, and counts as activity."""

    async def scenario() -> None:
        async with serving() as server:
            caller = await server.call("unix")
            await server.stuff(caller, numbered("looked at"))
            (connection,) = server.server.connections
            waiting, connection.active_at = server.waiting, 0.0
            connection.look()
            assert (waiting, 0.0) == (server.waiting, connection.active_at)

            async def heard_on() -> bool:
                await caller.hear(4096)
                connection.look()
                return server.waiting < waiting

            while not await heard_on():
                server.check()
            assert connection.active_at > 0

    loop.run(scenario())


def test_any_segmentation(loop: Loop, serving: NewServing) -> None:
    """However the bytes are cut, the answer is their upper case."""

    async def scenario(segments: list[bytes], path: str) -> None:
        async with serving() as server:
            caller = await server.call(path)
            for segment in segments:
                await caller.say(segment)
                await asyncio.sleep(0)  # gives the server its turn
            caller.end_saying()
            assert b"".join(segments).upper() == await caller.hear_all()

    @settings(max_examples=30)
    @given(st.lists(st.binary(min_size=1, max_size=5000), max_size=20), st.sampled_from(PATHS))
    def law(segments: list[bytes], path: str) -> None:
        loop.run(scenario(segments, path))

    law()


def test_many_peers_at_once(loop: Loop, serving: NewServing) -> None:
    """Peers whose chunks are answered in turn from one buffer each get their own bytes, whatever their size."""

    async def scenario() -> None:
        async with serving() as server:
            callers = [await server.call(PATHS[number % 2]) for number in range(20)]
            messages = [next(numbered(f"peer {number}", 1 + number * 40_000)) for number in range(20)]
            heard = await asyncio.gather(
                *(caller.ask(message) for caller, message in zip(callers, messages, strict=True))
            )
            assert [message.upper() for message in messages] == heard

    loop.run(scenario())
