"""Looking names up."""

import asyncio
import socket
import threading
from typing import Any

import pytest
import uvloop

from stentor_client.wire import lookup
from stentor_client.wire.lookup import Found, look_up


@pytest.mark.parametrize(("host", "address"), [("127.0.0.1", ("127.0.0.1", 80)), ("::1", ("::1", 80, 0, 0))])
async def test_address(host: str, address: tuple[Any, ...]) -> None:
    """An address is its own."""
    ((_, kind, _, _, found),) = await look_up(host, 80)
    assert (kind, found) == (socket.SOCK_STREAM, address)


async def test_name() -> None:
    """A name has what the system says."""
    assert await look_up("localhost", 80) == socket.getaddrinfo("localhost", 80, type=socket.SOCK_STREAM)


@pytest.mark.parametrize(("host", "error"), [("nobody.invalid", socket.gaierror), ("a..b", UnicodeError)])
async def test_no_name(host: str, error: type[Exception]) -> None:
    """What is wrong with a name is raised where it can be answered."""
    with pytest.raises(error):
        await look_up(host, 80)


def test_nobody_waits_for_a_silent_name_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither who asked waits any longer than he wants to, nor does the end of the event loop."""
    asked, told, ended = threading.Event(), threading.Event(), threading.Event()

    def silent(_host: str, _port: int, flags: int = 0) -> Found:
        if flags:
            raise socket.gaierror(socket.EAI_NONAME, "it is a name")
        asked.set()
        told.wait()
        ended.set()
        return []

    monkeypatch.setattr(lookup, "_ask", silent)

    async def impatient() -> None:
        async with asyncio.timeout(0.05):
            await look_up("name", 80)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner, pytest.raises(TimeoutError):
        runner.run(impatient())
    assert (asked.is_set(), ended.is_set()) == (True, False)
    told.set()  # the answer comes when there is no loop any more
    assert ended.wait(10)
