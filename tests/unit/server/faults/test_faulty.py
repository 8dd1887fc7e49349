"""A connection that gives wrong answers on purpose."""

from collections.abc import Callable

import pytest

from stentor_server.faults.fault import Fault
from stentor_server.metrics import CloseReason, RejectReason
from unit.looping import Events
from unit.server.serving import Serving

NewServing = Callable[..., Serving]
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
