"""Looking names up."""

import asyncio
import socket
import threading

import pytest
import uvloop

from stentor_client.wire import lookup
from stentor_client.wire.lookup import Found, look_up


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
async def test_found(host: str) -> None:
    """A name has the addresses that the system knows, and an address is its own."""
    assert await look_up(host, 80) == socket.getaddrinfo(host, 80, type=socket.SOCK_STREAM)


@pytest.mark.parametrize(("host", "error"), [("nobody.invalid", socket.gaierror), ("a..b", UnicodeError)])
async def test_not_found(host: str, error: type[Exception]) -> None:
    """An error in the thread is raised here."""
    with pytest.raises(error):
        await look_up(host, 80)


def test_silent_name_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a caller that is cancelled waits for a silent name server, nor the end of the event loop."""
    asked, answer, ended = threading.Event(), threading.Event(), threading.Event()

    def silent(_host: str, _port: int, flags: int = 0) -> Found:
        if flags:
            raise socket.gaierror(socket.EAI_NONAME, "it is a name")
        asked.set()
        answer.wait()
        ended.set()
        return []

    monkeypatch.setattr(lookup, "_ask", silent)

    async def impatient() -> None:
        async with asyncio.timeout(0.05):
            await look_up("name", 80)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner, pytest.raises(TimeoutError):
        runner.run(impatient())
    assert asked.wait(10)
    assert not ended.is_set()
    answer.set()  # it arrives when there is no loop any more
    assert ended.wait(10)
