"""A connection whose peer does not read."""

import asyncio
from collections.abc import Callable

import pytest

from stentor_server.metrics import CloseReason
from stentor_server.server import BUFFER_BYTES
from unit.looping import Events
from unit.peer import Peer
from unit.server.serving import Serving, numbered

NewServing = Callable[..., Serving]
PATHS = ["tcp", "unix"]


@pytest.mark.parametrize("path", PATHS)
async def test_is_not_read_from(serving: NewServing, path: str) -> None:
    """A peer that does not read is read from no more: one chunk waits for it at the most, and the worker rests."""
    async with serving() as server:
        caller = await server.call(path)
        said = await server.stuff(caller, numbered("stuffed"))
        assert server.pauses == 1
        assert 0 < server.waiting <= BUFFER_BYTES
        assert server.received < len(said)
        connection = server.connection(caller)
        assert connection.waiting
        assert said.upper() == await caller.hear(len(said))
        await server.until(lambda: server.sent == len(said), "the rest to be read and answered")
        assert not connection.waiting
        assert await caller.ask(b"goes on") == b"GOES ON"
        assert server.at_rest()


@pytest.mark.parametrize("path", PATHS)
async def test_what_waits_is_its_own(serving: NewServing, path: str) -> None:
    """What waits for slow readers is theirs alone: others' exchanges do not change it, nor does it slow them down."""
    async with serving() as server:
        slow = [await server.call(path) for _ in range(2)]
        said = [await server.stuff(each, numbered(f"slow {n}")) for n, each in enumerate(slow)]
        waiting = server.waiting
        quick = await server.call(path)
        for number in range(50):
            message = b"quick %d" % number * 999
            assert message.upper() == await quick.ask(message)
        assert (server.waiting, server.pauses) == (waiting, 2)
        for each in slow:
            each.end_saying()
        heard = await asyncio.gather(*(each.hear_all() for each in slow))
        assert [text.upper() for text in said] == heard
        assert server.unsent == 0


async def test_pauses_again(serving: NewServing) -> None:
    """Each time that it stops reading is counted, and each time it gets all that it missed."""
    async with serving() as server:
        caller = await server.call("unix")
        for number in range(3):
            said = await server.stuff(caller, numbered(f"round {number}"))
            paused = server.pauses
            assert paused > number
            assert said.upper() == await caller.hear(len(said))
        await server.until(lambda: server.waiting == 0, "all to be sent")
        assert server.sent == server.received


async def test_is_served_bit_by_bit(serving: NewServing) -> None:
    """What waits goes out as the kernel takes it, and is counted as sent to the byte."""
    async with serving(send_buffer=1) as server:
        caller = await server.call(receive_buffer=1)
        said = await server.stuff(caller, numbered("slow"))
        whole = server.waiting
        heard = b""
        seen = set()
        connection = server.connection(caller)
        while server.pauses == 1 and server.waiting:
            heard += await caller.hear(500)
            server.check()
            seen.add(server.waiting)
        assert len(seen & set(range(1, whole))) > 3
        assert connection.ended_at == 0  # that it reads on is not that it has ended
        assert said.upper() == heard + await caller.hear(len(said) - len(heard))


@pytest.mark.parametrize("path", PATHS)
async def test_that_goes_away(serving: NewServing, events: Events, path: str) -> None:
    """What waited for a peer that went away is unsent, and so the log says."""
    async with serving() as server:
        caller = await server.call(path)
        await server.stuff(caller, numbered("gone"))
        waited = server.waiting
        caller.reset()
        await server.until(lambda: server.closed(CloseReason.RESET) == 1, "the loss to be counted")
        assert (server.unsent, server.waiting) == (waited, 0)
        (closed,) = events.find("connection.closed")
        assert closed["received_bytes"] - closed["sent_bytes"] == waited


async def _end_while_waiting(server: Serving, path: str) -> tuple[Peer, bytes]:
    caller = await server.call(path, receive_buffer=1)
    # What the kernel holds back for a peer over TCP, its end would have to wait for.
    said = await (server.stuff if path == "unix" else server.overtake)(caller, numbered("late"))
    connection = server.connection(caller)
    assert connection.ended_at == 0
    caller.end_saying()
    await server.until(lambda: connection.ended_at, "its end to be seen")
    assert connection.waiting
    assert server.received < len(said)  # so it is seen before it is read
    return caller, said


async def test_that_goes_away_after_its_end(serving: NewServing) -> None:
    """It is noticed too when the peer had ended its side before."""
    async with serving() as server:
        caller, _ = await _end_while_waiting(server, "tcp")
        caller.reset()
        await server.until(lambda: server.closed(CloseReason.RESET) == 1, "the loss to be counted")


@pytest.mark.parametrize("path", PATHS)
async def test_that_ends_its_side(serving: NewServing, path: str) -> None:
    """Its end is seen while its answers wait, and it still gets all of them, whatever is still unread, then ours."""
    async with serving() as server:
        caller, said = await _end_while_waiting(server, path)
        assert said.upper() == await caller.hear_all()
        assert not caller.was_reset
        await server.until(lambda: server.closed(CloseReason.EOF) == 1, "the end to be counted")
        assert server.unsent == 0


async def test_that_ends_its_side_lets_the_worker_rest(serving: NewServing) -> None:
    """However many chunks it left unread when it ended, its end, which stays, wakes the worker once only."""
    async with serving(send_buffer=1, chunk=1000) as server:
        caller, said = await _end_while_waiting(server, "tcp")
        await server.until(server.at_rest, "the worker to rest")
        pauses, heard = server.pauses, b""
        while server.pauses == pauses:  # till the next chunk waits
            heard += await caller.hear(100)
            server.check()
        await server.until(server.at_rest, "the worker to rest again")
        assert said.upper() == heard + await caller.hear_all()


async def test_time_of_its_end_stays(serving: NewServing) -> None:
    """When it ended its side is when that was first seen, however many chunks follow."""
    async with serving(send_buffer=1, chunk=1000) as server:
        caller, said = await _end_while_waiting(server, "tcp")
        connection = server.connection(caller)
        ended_at, pauses, heard = connection.ended_at, server.pauses, b""
        while server.pauses == pauses:
            heard += await caller.hear(100)
        assert ended_at == connection.ended_at
        assert said.upper() == heard + await caller.hear_all()
