"""A connection whose peer does not read."""

import asyncio
from collections.abc import Callable

import pytest

from stentor_server.metrics import CloseReason
from stentor_server.path.lane import BUFFER_BYTES
from unit.looping import Events
from unit.peer import Peer
from unit.server.serving import Serving, numbered

NewServing = Callable[..., Serving]
PATHS = ["tcp", "unix"]


@pytest.mark.parametrize("path", PATHS)
async def test_is_not_read_from(serving: NewServing, path: str) -> None:
    """A peer that does not read is read from no more: one chunk waits for it at the most, and the worker rests."""
    async with serving() as server:
        client = await server.connect(path)
        payload = await server.fill(client, numbered("stuffed"))
        assert server.pauses == 1
        assert 0 < server.waiting <= BUFFER_BYTES
        assert server.received < len(payload)
        connection = server.connection(client)
        assert connection.pending
        assert payload.upper() == await client.receive(len(payload))
        await server.until(lambda: server.sent == len(payload), "the rest to be read and answered")
        assert not connection.pending
        assert await client.exchange(b"goes on") == b"GOES ON"
        assert server.at_rest()


@pytest.mark.parametrize("path", PATHS)
async def test_what_waits_is_its_own(serving: NewServing, path: str) -> None:
    """What waits for slow readers is theirs alone: others' exchanges do not change it, nor does it slow them down."""
    async with serving() as server:
        slow = [await server.connect(path) for _ in range(2)]
        payload = [await server.fill(each, numbered(f"slow {n}")) for n, each in enumerate(slow)]
        waiting = server.waiting
        quick = await server.connect(path)
        for number in range(50):
            message = b"quick %d" % number * 999
            assert message.upper() == await quick.exchange(message)
        assert (server.waiting, server.pauses) == (waiting, 2)
        for each in slow:
            each.shut_down_writing()
        reply = await asyncio.gather(*(each.receive_all() for each in slow))
        assert [text.upper() for text in payload] == reply
        assert server.unsent == 0


async def test_pauses_again(serving: NewServing) -> None:
    """Each time that it stops reading is counted, and each time it gets all that it missed."""
    async with serving() as server:
        client = await server.connect("unix")
        for number in range(3):
            payload = await server.fill(client, numbered(f"round {number}"))
            paused = server.pauses
            assert paused > number
            assert payload.upper() == await client.receive(len(payload))
        await server.until(lambda: server.waiting == 0, "all to be sent")
        assert server.sent == server.received


async def test_is_served_bit_by_bit(serving: NewServing) -> None:
    """What waits goes out as the kernel takes it, and is counted as sent to the byte."""
    async with serving(send_buffer=1) as server:
        client = await server.connect(receive_buffer=1)
        payload = await server.fill(client, numbered("slow"))
        whole = server.waiting
        reply = b""
        seen = set()
        connection = server.connection(client)
        while server.pauses == 1 and server.waiting:
            reply += await client.receive(500)
            server.check()
            seen.add(server.waiting)
        assert len(seen & set(range(1, whole))) > 3
        assert connection.peer_closed_at == 0  # that it reads on is not that it has ended
        assert payload.upper() == reply + await client.receive(len(payload) - len(reply))


@pytest.mark.parametrize("path", PATHS)
async def test_that_goes_away(serving: NewServing, events: Events, path: str) -> None:
    """What waited for a peer that went away is unsent, and so the log says."""
    async with serving() as server:
        client = await server.connect(path)
        await server.fill(client, numbered("gone"))
        waited = server.waiting
        client.reset()
        await server.until(lambda: server.closed(CloseReason.RESET) == 1, "the loss to be counted")
        assert (server.unsent, server.waiting) == (waited, 0)
        (closed,) = events.find("connection.closed")
        assert closed["received_bytes"] - closed["sent_bytes"] == waited


async def _end_while_waiting(server: Serving, path: str) -> tuple[Peer, bytes]:
    client = await server.connect(path, receive_buffer=1)
    # What the kernel holds back for a peer over TCP, its end would have to wait for.
    payload = await (server.fill if path == "unix" else server.overfill)(client, numbered("late"))
    connection = server.connection(client)
    assert connection.peer_closed_at == 0
    client.shut_down_writing()
    await server.until(lambda: connection.peer_closed_at, "its end to be seen")
    assert connection.pending
    assert server.received < len(payload)  # so it is seen before it is read
    return client, payload


async def test_that_goes_away_after_its_end(serving: NewServing) -> None:
    """It is noticed too when the peer had ended its side before."""
    async with serving() as server:
        client, _ = await _end_while_waiting(server, "tcp")
        client.reset()
        await server.until(lambda: server.closed(CloseReason.RESET) == 1, "the loss to be counted")


@pytest.mark.parametrize("path", PATHS)
async def test_that_ends_its_side(serving: NewServing, path: str) -> None:
    """Its end is seen while its answers wait, and it still gets all of them, whatever is still unread, then ours."""
    async with serving() as server:
        client, payload = await _end_while_waiting(server, path)
        assert payload.upper() == await client.receive_all()
        assert not client.was_reset
        await server.until(lambda: server.closed(CloseReason.EOF) == 1, "the end to be counted")
        assert server.unsent == 0


async def test_that_ends_its_side_lets_the_worker_rest(serving: NewServing) -> None:
    """However many chunks it left unread when it ended, its end, which stays, wakes the worker once only."""
    async with serving(send_buffer=1, chunk=1000) as server:
        client, payload = await _end_while_waiting(server, "tcp")
        await server.until(server.at_rest, "the worker to rest")
        pauses, reply = server.pauses, b""
        while server.pauses == pauses:  # till the next chunk waits
            reply += await client.receive(100)
            server.check()
        await server.until(server.at_rest, "the worker to rest again")
        assert payload.upper() == reply + await client.receive_all()


async def test_time_of_its_end_stays(serving: NewServing) -> None:
    """When it ended its side is when that was first seen, however many chunks follow."""
    async with serving(send_buffer=1, chunk=1000) as server:
        client, payload = await _end_while_waiting(server, "tcp")
        connection = server.connection(client)
        peer_closed_at, pauses, reply = connection.peer_closed_at, server.pauses, b""
        while server.pauses == pauses:
            reply += await client.receive(100)
        assert peer_closed_at == connection.peer_closed_at
        assert payload.upper() == reply + await client.receive_all()
