"""The path of a byte through one connection."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stentor_server.metrics import CloseReason
from stentor_server.path.connection import Connection
from stentor_server.path.lane import BUFFER_BYTES
from unit.looping import Events
from unit.peer import Peer
from unit.server.serving import NewServing, RunOnLoop, Serving, numbered

PATHS = ["tcp", "unix"]
EVERY_BYTE = bytes(range(256))


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("size", [1, 1024, BUFFER_BYTES, BUFFER_BYTES + 1, 3_000_000])
async def test_exchange(serving: NewServing, path: str, size: int) -> None:
    """A message of any size comes back in upper case, and every byte of it is counted as sent."""
    message = (EVERY_BYTE * (size // 256 + 1))[:size]
    async with serving() as server:
        client = await server.connect(path)
        assert message.upper() == await client.exchange(message)
        await server.until(lambda: server.sent == size, "all to be counted as sent")
        assert (size, 0, 0) == (server.received, server.unsent, server.waiting)


def test_any_segmentation(run_on_loop: RunOnLoop, serving: NewServing) -> None:
    """However the bytes are cut, the answer is their upper case, and then the server closes, too."""

    async def scenario(segments: list[bytes], path: str) -> None:
        async with serving() as server:
            client = await server.connect(path)
            for segment in segments:
                await client.send(segment)
                await asyncio.sleep(0)  # lets the server run
            client.shut_down_writing()
            assert b"".join(segments).upper() == await client.receive_all()
            assert not client.was_reset

    @settings(max_examples=30)
    @given(st.lists(st.binary(min_size=1, max_size=5000), max_size=20), st.sampled_from(PATHS))
    def law(segments: list[bytes], path: str) -> None:
        run_on_loop(scenario(segments, path))

    law()


async def test_activity(serving: NewServing) -> None:
    """A chunk that is answered sets when a byte last moved, and so does one that the kernel accepts later."""
    async with serving(send_buffer=1) as server:
        client = await server.connect(receive_buffer=1)
        connection = server.connection(client)
        connection.active_at = 0.0
        await client.exchange(b"byte")
        assert connection.active_at
        message = b"x" * 50_000  # one chunk
        await client.send(message)
        await server.until(lambda: server.received == 4 + len(message), "all to be read")
        connection.active_at = 0.0
        await client.receive(len(message))
        await server.until(lambda: not connection.pending, "all to be sent")
        assert connection.active_at


@pytest.mark.parametrize("path", PATHS)
async def test_slow_readers(serving: NewServing, path: str) -> None:
    """Nothing more is read from peers that do not read; others are served meanwhile, and nobody's bytes mix."""
    async with serving() as server:
        slow = [await server.connect(path) for _ in range(2)]
        payloads = [await server.fill(each, numbered(f"slow {n}")) for n, each in enumerate(slow)]
        waiting = server.waiting
        assert 0 < waiting <= 2 * BUFFER_BYTES
        assert server.received < sum(map(len, payloads))
        quick = await server.connect(path)
        for number in range(50):
            message = b"quick %d" % number * 999
            assert message.upper() == await quick.exchange(message)
        assert (server.waiting, server.pauses) == (waiting, 2)
        replies = [await client.receive(len(payload)) for client, payload in zip(slow, payloads, strict=True)]
        assert [payload.upper() for payload in payloads] == replies
        for each in slow:
            assert await each.exchange(b"goes on") == b"GOES ON"
        await server.until(server.at_rest, "the worker to rest")
        assert server.unsent == 0


@pytest.mark.parametrize("path", PATHS)
async def test_progress_of_a_slow_reader(serving: NewServing, path: str) -> None:
    """What a slow reader has read counts before the kernel accepts more for it; a check alone does not."""
    async with serving() as server:
        client = await server.connect(path)
        await server.fill(client, numbered("slow"))
        connection = server.connection(client)
        connection.check_progress()
        connection.active_at = 0.0
        connection.check_progress()
        assert connection.active_at == 0
        while not connection.active_at:
            assert client.connection.recv(2048)  # without the loop, so that nothing else sees it
            connection.check_progress()
        assert connection.active_at == server.now


@pytest.mark.parametrize("closed", [False, True])
async def test_reset_of_a_slow_reader(serving: NewServing, events: Events, *, closed: bool) -> None:
    """What was pending for a peer that resets is unsent, and so the log says; also if it had closed its side before."""
    async with serving() as server:
        if closed:
            client, _, _ = await _close_while_pending(server, "tcp")
        else:
            client = await server.connect()
            await server.fill(client, numbered("gone"))
        waiting = server.waiting
        client.reset()
        await server.until(lambda: server.closed(CloseReason.RESET) == 1, "the loss to be counted")
        assert (server.unsent, server.waiting) == (waiting, 0)
        (event,) = events.find("connection.closed")
        assert event["received_bytes"] - event["sent_bytes"] == waiting


async def _close_while_pending(server: Serving, path: str) -> tuple[Peer, Connection, bytes]:
    client = await server.connect(path, receive_buffer=1)
    # What the kernel holds back for a peer over TCP would delay its FIN.
    payload = await (server.fill if path == "unix" else server.overfill)(client, numbered("late"))
    connection = server.connection(client)
    assert connection.peer_closed_at == 0
    client.shut_down_writing()
    await server.until(lambda: connection.peer_closed_at, "its FIN to be seen")
    assert connection.pending
    assert server.received < len(payload)  # so it is seen before it is read
    return client, connection, payload


@pytest.mark.parametrize("path", PATHS)
async def test_half_close_of_a_slow_reader(serving: NewServing, path: str) -> None:
    """Its FIN is seen while its answers are pending, and it still gets all of them, whatever is unread, then ours."""
    async with serving() as server:
        client, connection, payload = await _close_while_pending(server, path)
        closed_at = connection.peer_closed_at
        assert payload.upper() == await client.receive_all()
        assert not client.was_reset
        assert closed_at == connection.peer_closed_at
        await server.until(lambda: server.closed(CloseReason.EOF) == 1, "the end to be counted")
        assert server.unsent == 0
