"""The way of a byte through one connection."""

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stentor_server.path.lane import BUFFER_BYTES
from unit.looping import Loop
from unit.server.serving import Serving, numbered

NewServing = Callable[..., Serving]
PATHS = ["tcp", "unix"]
EVERY_BYTE = bytes(range(256))


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("size", [1, 64, 1024, BUFFER_BYTES - 1, BUFFER_BYTES, BUFFER_BYTES + 1, 3_000_000])
async def test_answers_in_upper_case(serving: NewServing, path: str, size: int) -> None:
    """Whatever its size, a message comes back in upper case, and every byte of it is counted as sent."""
    message = (EVERY_BYTE * (size // 256 + 1))[:size]
    async with serving() as server:
        client = await server.connect(path)
        assert message.upper() == await client.exchange(message)
        await server.until(lambda: server.sent == size, "all to be counted as sent")
        assert (size, 0, 0) == (server.received, server.unsent, server.waiting)


async def test_echo(serving: NewServing) -> None:
    """An echoing server changes no byte."""
    async with serving(transform="echo") as server:
        assert await (await server.connect()).exchange(EVERY_BYTE) == EVERY_BYTE


@pytest.mark.parametrize("path", PATHS)
async def test_every_byte_by_itself(serving: NewServing, path: str) -> None:
    """Each byte value is answered when it comes alone, without waiting for more."""
    async with serving() as server:
        client = await server.connect(path)
        for value in range(256):
            byte = bytes([value])
            assert byte.upper() == await client.exchange(byte)


def test_any_segmentation(loop: Loop, serving: NewServing) -> None:
    """However the bytes are cut, the answer is their upper case."""

    async def scenario(segments: list[bytes], path: str) -> None:
        async with serving() as server:
            client = await server.connect(path)
            for segment in segments:
                await client.send(segment)
                await asyncio.sleep(0)  # gives the server its turn
            client.shut_down_writing()
            assert b"".join(segments).upper() == await client.receive_all()

    @settings(max_examples=30)
    @given(st.lists(st.binary(min_size=1, max_size=5000), max_size=20), st.sampled_from(PATHS))
    def law(segments: list[bytes], path: str) -> None:
        loop.run(scenario(segments, path))

    law()


async def test_many_peers_at_once(serving: NewServing) -> None:
    """Peers whose chunks are answered in turn from one buffer each get their own bytes, whatever their size."""
    async with serving() as server:
        clients = [await server.connect(PATHS[number % 2]) for number in range(20)]
        messages = [next(numbered(f"peer {number}", 1 + number * 40_000)) for number in range(20)]
        reply = await asyncio.gather(
            *(client.exchange(message) for client, message in zip(clients, messages, strict=True))
        )
        assert [message.upper() for message in messages] == reply


async def test_partial_writes(serving: NewServing) -> None:
    """Where the kernel takes a few kilobytes at a time, every one of many peers still gets its own bytes, and all."""
    async with serving(send_buffer=1) as server:
        clients = [await server.connect(receive_buffer=1) for _ in range(20)]
        messages = [next(numbered(f"peer {number}", 100_000 + number)) for number in range(20)]
        asking = asyncio.gather(*(client.exchange(each) for client, each in zip(clients, messages, strict=True)))
        await server.until(asking.done, "all to be answered")
        assert [message.upper() for message in messages] == await asking
        assert server.pauses >= 20  # else something was not partial
        assert (server.sent, server.unsent) == (sum(map(len, messages)), 0)


async def test_all_share_one_buffer(serving: NewServing) -> None:
    """Whatever peers do, there is one buffer, and its size is the most that is read in one go."""
    async with serving() as server:
        before = server.server.lane.buffer
        slow, quick = await server.connect(), await server.connect("unix")
        await server.fill(slow, numbered("slow"))
        assert await quick.exchange(b"quick") == b"QUICK"
        assert server.server.lane.buffer is before is server.server.lane.buffers[0]
        assert len(before) == BUFFER_BYTES


async def test_urgent_byte(serving: NewServing) -> None:
    """An urgent byte is not part of the stream; what is before and after it is answered."""
    async with serving() as server:
        client = await server.connect()
        assert await client.exchange(b"before") == b"BEFORE"
        client.connection.send(b"!", 1)  # MSG_OOB
        assert await client.exchange(b"after") == b"AFTER"
        assert server.received == 11
