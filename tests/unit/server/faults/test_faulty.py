"""A connection that does wrong on purpose."""

import asyncio
from collections.abc import Callable

import pytest

from stentor_server.faults.fault import Fault
from stentor_server.metrics import CloseReason, RejectReason
from unit.looping import Events
from unit.server.serving import Serving, numbered

NewServing = Callable[..., Serving]
PATHS = ["tcp", "unix"]
SAID = b"sixteen letters!"
MUCH = bytes(1 << 20)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("fault", "reply"),
    [
        (Fault.TRUNCATE, b"SIXTEEN "),
        (Fault.EXTRA, b"SIXTEEN LETTERS!!"),
        (Fault.EARLY_FIN, b""),
    ],
)
async def test_answer(serving: NewServing, path: str, fault: Fault, reply: bytes) -> None:
    """The answer is wrong in just this way, and the connection ends in order."""
    async with serving(fault=(f"{fault}=1",)) as server:
        client = await server.connect(path)
        await client.send(SAID)
        await server.until(lambda: server.injected(fault), "the fault")
        client.shut_down_writing()
        assert await client.receive_all() == reply
        assert not client.was_reset
        await server.until(lambda: not server.active, "the end")
        assert (server.sent, server.received) == (len(reply), len(SAID))
        assert server.closed(CloseReason.EOF if fault is Fault.EXTRA else CloseReason.FAULT) == 1


@pytest.mark.parametrize("path", PATHS)
async def test_corrupt(serving: NewServing, path: str) -> None:
    """One bit of one byte is another."""
    async with serving(fault=("corrupt=1",)) as server:
        client = await server.connect(path)
        for _ in range(100):
            reply = await client.exchange(SAID)
            wrong = [(ours, theirs) for ours, theirs in zip(SAID.upper(), reply, strict=True) if ours != theirs]
            assert [(ours ^ theirs).bit_count() for ours, theirs in wrong] == [1]


@pytest.mark.parametrize("path", PATHS)
async def test_reset(serving: NewServing, path: str) -> None:
    """The connection is gone at once; over TCP its peer gets a reset."""
    async with serving(fault=("reset=1",)) as server:
        client = await server.connect(path)
        await client.send(SAID)
        assert await client.receive_all() == b""
        assert client.was_reset == (path == "tcp")
        assert (server.unsent, server.closed(CloseReason.FAULT)) == (len(SAID), 1)


async def test_refuse(serving: NewServing, events: Events) -> None:
    """The connection is reset before it is one, and that is an event like any other fault."""
    async with serving(fault=("refuse=1",)) as server:
        client = await server.connect()
        assert await client.receive_all() == b""
        assert client.was_reset
        assert (server.rejected(RejectReason.FAULT), server.injected(Fault.REFUSE), server.accepted) == (1, 1, 0)
    assert [event["fault"] for event in events.find("fault.injected")] == ["refuse"]


@pytest.mark.parametrize("path", PATHS)
async def test_stall(serving: NewServing, path: str) -> None:
    """No answer arrives; later data is discarded, however much, so that the peer's FIN is seen."""
    async with serving(fault=("stall=1",)) as server:
        client = await server.connect(path)
        await client.send(SAID)
        await server.until(lambda: server.unsent == len(SAID), "the fault")
        await client.send(MUCH)
        await server.until(lambda: server.unsent == len(SAID) + len(MUCH), "the rest to be dropped")
        assert server.at_rest()
        assert (server.sent, server.active) == (0, 1)
        client.shut_down_writing()
        await server.until(lambda: not server.active, "the end")
        assert await client.receive_all() == b""
        assert server.closed(CloseReason.FAULT) == 1


async def test_stalled_and_timed_out(serving: NewServing) -> None:
    """A peer that never gives up is closed by the idle time-out; the reason stays what began it."""
    async with serving(fault=("stall=1",), idle_timeout_seconds=0.05) as server:
        client = await server.connect()
        await client.send(SAID)
        await server.until(lambda: server.closed(CloseReason.FAULT) == 1, "the time-out")


async def test_stalled_and_drained(serving: NewServing, events: Events) -> None:
    """A stop does not wait for what will never be answered, and the fault is still what ended it."""
    async with serving(fault=("stall=1",), drain_timeout_seconds=60.0) as server:
        client = await server.connect()
        await client.send(SAID)
        await server.until(lambda: server.unsent == len(SAID), "the fault")
        await server.drain()
    (closed,) = events.find("connection.closed")
    assert closed["reason"] == "fault"


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("fault", ["delay=1:40ms", "drip=1:2ms"])
async def test_held_back(serving: NewServing, events: Events, path: str, fault: str) -> None:
    """An answer waits, is on the account as what waits, and comes; also to a peer that has ended its side."""
    async with serving(fault=(fault,)) as server:
        client = await server.connect(path)
        assert await client.exchange(SAID) == SAID.upper()
        await client.send(SAID)
        await server.until(lambda: server.received == 2 * len(SAID), "the second message to be read")
        assert server.waiting > 0
        client.shut_down_writing()
        await server.until(lambda: not server.active, "the end")
        assert await client.receive_all() == SAID.upper()
        assert (server.sent, server.pauses) == (2 * len(SAID), 2)
        assert server.closed(CloseReason.EOF) == 1
    assert events.find("fault.injected")


async def test_held_back_and_reset(serving: NewServing) -> None:
    """A peer that is gone is noticed while its answer is held back, and nothing comes after it."""
    async with serving(fault=("delay=1:10m",)) as server:
        client = await server.connect()
        await client.send(SAID)
        await server.until(lambda: server.waiting == len(SAID), "the answer to be held back")
        client.reset()
        await server.until(lambda: server.closed(CloseReason.RESET) == 1, "the reset to be seen")
        assert server.unsent == len(SAID)


async def test_held_back_for_too_long(serving: NewServing) -> None:
    """The write time-out ends a connection whose answer is held back for longer."""
    async with serving(fault=("delay=1:10m",), write_timeout_seconds=0.05) as server:
        client = await server.connect()
        await client.send(SAID)
        await server.until(lambda: server.closed(CloseReason.WRITE_TIMEOUT) == 1, "the time-out")


async def test_held_back_one_after_the_other(serving: NewServing) -> None:
    """A peer ends its side once, however many answers are held back after that: its time-out begins there."""
    seen: set[float] = set()

    async def scenario() -> None:
        async with serving(fault=("delay=1:5ms",), chunk=len(SAID)) as server:
            client = await server.connect()
            await client.send(SAID * 4)
            client.shut_down_writing()
            await server.until(lambda: server.received > 0, "the first piece to be read")

            def ended() -> bool:
                seen.update(each.peer_closed_at for each in server.server.connections.values() if each.peer_closed_at)
                return not server.active

            await server.until(ended, "the end")
            assert await client.receive_all() == SAID.upper() * 4

    await scenario()
    assert len(seen) == 1


async def test_drips_are_movement(serving: NewServing) -> None:
    """Each byte that drips is movement at the time when it drips, and not when something was last reply."""
    async with serving(fault=("drip=1:5ms",)) as server:
        client = await server.connect()
        await client.send(SAID)
        await server.until(lambda: server.received == len(SAID), "the message to be read")
        connection = server.connection(client)
        heard_at = connection.active_at
        await server.until(lambda: server.sent == len(SAID), "the last byte")
        assert connection.active_at - heard_at >= (len(SAID) - 1) * 0.004  # a timer may be early


@pytest.mark.parametrize(
    ("fault", "right"), [("corrupt=1", False), ("extra=1", False), ("truncate=1", False), ("delay=1:1ms", True)]
)
async def test_slow_reader(serving: NewServing, fault: str, *, right: bool) -> None:
    """An answer that the kernel does not take at once waits with its fault."""
    async with serving(fault=(fault,), send_buffer=4096) as server:
        client = await server.connect(receive_buffer=4096)
        payload = next(numbered("stuffed")) * 100
        saying = asyncio.ensure_future(client.send(payload))
        await server.until(lambda: server.waiting > 0, "something to wait")
        hearing = asyncio.ensure_future(client.receive_all())
        await server.until(lambda: hearing.done() or server.received == len(payload), "all to be read, or the end")
        if not hearing.done():
            await saying
            client.shut_down_writing()
        reply = await hearing
        saying.cancel()
        await server.until(lambda: not server.active, "the end")
        assert server.sent >= len(reply) > 0
        assert (reply == payload.upper()) == right


@pytest.mark.parametrize("path", PATHS)
async def test_answers_that_are_left_alone(serving: NewServing, path: str) -> None:
    """What no fault is drawn for is right, from the first byte to the peer's end."""
    async with serving(fault=("reset=0.000001",)) as server:
        client = await server.connect(path)
        data = next(numbered("right")) * 50
        assert await client.exchange(data) == data.upper()
        client.shut_down_writing()
        assert await client.receive_all() == b""
        await server.until(lambda: not server.active, "the end")
        assert server.closed(CloseReason.EOF) == 1
