"""A connection that gives wrong answers on purpose."""

import asyncio

import pytest

from stentor_server.faults.fault import Fault
from stentor_server.metrics import CloseReason, RejectReason
from unit.looping import Events
from unit.server.serving import NewServing, numbered

PATHS = ["tcp", "unix"]
MESSAGE = b"sixteen letters!"
MUCH = bytes(1 << 20)


@pytest.mark.parametrize(
    ("fault", "answer", "reason"),
    [
        (Fault.TRUNCATE, b"SIXTEEN ", CloseReason.FAULT),
        (Fault.EXTRA, b"SIXTEEN LETTERS!!", CloseReason.EOF),
        (Fault.EARLY_FIN, b"", CloseReason.FAULT),
    ],
)
async def test_wrong_length(serving: NewServing, fault: Fault, answer: bytes, reason: CloseReason) -> None:
    """The answer is wrong in just this way, and the connection ends in order."""
    async with serving(fault=(f"{fault}=1",)) as server:
        client = await server.connect()
        await client.send(MESSAGE)
        await server.until(lambda: server.injected(fault), "the fault")
        client.shut_down_writing()
        assert await client.receive_all() == answer
        assert not client.was_reset
        await server.until(lambda: not server.active, "the end")
        assert (server.sent, server.received, server.closed(reason)) == (len(answer), len(MESSAGE), 1)


async def test_corrupt(serving: NewServing) -> None:
    """One bit of one byte is flipped."""
    async with serving(fault=("corrupt=1",)) as server:
        client = await server.connect()
        connection = server.connection(client)
        connection.active_at = 0.0
        for _ in range(100):
            answer = await client.exchange(MESSAGE)
            wrong = [ours ^ theirs for ours, theirs in zip(MESSAGE.upper(), answer, strict=True) if ours != theirs]
            assert [each.bit_count() for each in wrong] == [1]
        assert connection.active_at


@pytest.mark.parametrize("path", PATHS)
async def test_reset(serving: NewServing, path: str) -> None:
    """The connection closes at once; over TCP its peer gets a reset."""
    async with serving(fault=("reset=1",)) as server:
        client = await server.connect(path)
        await client.send(MESSAGE)
        assert await client.receive_all() == b""
        assert client.was_reset == (path == "tcp")
        assert (server.unsent, server.closed(CloseReason.FAULT)) == (len(MESSAGE), 1)


async def test_refuse(serving: NewServing, events: Events) -> None:
    """The connection is reset before it is served, and logged like any other fault."""
    async with serving(fault=("refuse=1",)) as server:
        client = await server.connect()
        assert await client.receive_all() == b""
        assert client.was_reset
        assert (server.rejected(RejectReason.FAULT), server.injected(Fault.REFUSE), server.accepted) == (1, 1, 0)
    assert [event["fault"] for event in events.find("fault.injected")] == ["refuse"]


async def test_stall(serving: NewServing) -> None:
    """No answer arrives; later data is discarded, however much, so that the peer's FIN is seen."""
    async with serving(fault=("stall=1",)) as server:
        client = await server.connect()
        await client.send(MESSAGE)
        await server.until(lambda: server.unsent == len(MESSAGE), "the fault")
        await client.send(MUCH)
        await server.until(lambda: server.unsent == len(MESSAGE) + len(MUCH), "the rest to be discarded")
        assert server.at_rest()
        assert (server.sent, server.active) == (0, 1)
        client.shut_down_writing()
        await server.until(lambda: not server.active, "the end")
        assert await client.receive_all() == b""
        assert server.closed(CloseReason.FAULT) == 1


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("fault", ["delay=1:40ms", "drip=1:2ms"])
async def test_held(serving: NewServing, events: Events, path: str, fault: str) -> None:
    """An answer that is held counts as pending, and arrives; also at a peer that has closed its side."""
    async with serving(fault=(fault,)) as server:
        client = await server.connect(path)
        assert await client.exchange(MESSAGE) == MESSAGE.upper()
        await client.send(MESSAGE)
        await server.until(lambda: server.received == 2 * len(MESSAGE), "the second message to be read")
        assert server.waiting > 0
        connection = server.connection(client)
        connection.active_at = 0.0
        client.shut_down_writing()
        await server.until(lambda: not server.active, "the end")
        assert await client.receive_all() == MESSAGE.upper()
        assert (server.sent, server.pauses) == (2 * len(MESSAGE), 2)
        assert connection.active_at  # each byte that leaves late is activity, too
        assert server.closed(CloseReason.EOF) == 1
    assert events.find("fault.injected")


@pytest.mark.parametrize("reason", [CloseReason.RESET, CloseReason.WRITE_TIMEOUT])
async def test_end_of_a_held_answer(serving: NewServing, reason: CloseReason) -> None:
    """A reset is noticed while an answer is held, and the write time-out applies to it."""
    async with serving(
        fault=("delay=1:10m",), write_timeout_seconds=0 if reason == CloseReason.RESET else 0.1
    ) as server:
        client = await server.connect()
        await client.send(MESSAGE)
        await server.until(lambda: server.waiting == len(MESSAGE) or not server.active, "the answer to be held")
        if reason == CloseReason.RESET:
            client.reset()
        await server.until(lambda: server.closed(reason) == 1, "the end")
        assert server.unsent == len(MESSAGE)


@pytest.mark.parametrize("fault", ["corrupt=1", "extra=1", "truncate=1", "delay=1:1ms", "reset=0.000001"])
async def test_slow_reader(serving: NewServing, fault: str) -> None:
    """An answer that the kernel does not accept at once is pending with its fault, and without one it is right."""
    async with serving(fault=(fault,), send_buffer=4096) as server:
        client = await server.connect(receive_buffer=4096)
        payload = next(numbered("slow")) * 100
        sending = asyncio.ensure_future(client.send(payload))
        await server.until(lambda: server.waiting > 0, "something to be pending")
        receiving = asyncio.ensure_future(client.receive_all())
        await server.until(lambda: receiving.done() or server.received == len(payload), "all to be read, or the end")
        if not receiving.done():
            await sending
            client.shut_down_writing()
        reply = await receiving
        sending.cancel()
        await server.until(lambda: not server.active, "the end")
        assert server.sent >= len(reply) > 0
        assert (reply == payload.upper()) == fault.startswith(("delay", "reset"))
