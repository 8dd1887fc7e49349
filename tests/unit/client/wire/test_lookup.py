"""Looking names up."""

import asyncio
import socket
import threading

import pytest
import uvloop

from stentor_client.wire import lookup
from stentor_client.wire.lookup import Found, look_up


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
