"""The server's data process told to retire, without the process."""

import asyncio
import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import asdict

import pytest

from stentor_chassis.control.listeners import bind_tcp
from stentor_chassis.control.worker import READY, Assignment, Worker
from stentor_chassis.counters.metrics import Schema
from stentor_chassis.counters.shared_counters import SharedCounters
from stentor_chassis.logs.log import LogOptions
from stentor_server.metrics import ACCEPTED, SCHEMA
from stentor_server.server import Server
from stentor_server.worker import serve
from unit.looping import Events
from unit.peer import Peer
from unit.server.serving import BACKLOG, options

WORKER, ROW = 1, 2


class Hired:
    """A worker of one listener, and this end of its lifeline; the listener stays open when the worker has left."""

    def __init__(self, counters: SharedCounters, events: Events) -> None:
        """Bind the listener and make the worker."""
        self.row = counters.row(ROW)
        ((self.listener,),) = bind_tcp(["127.0.0.1"], 0, 1, BACKLOG)
        ours, self.lifeline = socket.socketpair()
        self.lifeline.setblocking(False)
        assignment = Assignment(
            service="stentor-server",
            version="0",
            worker=WORKER,
            row=ROW,
            rows=ROW + 1,
            counters_fd=counters.fd,
            listener_fds=[os.dup(self.listener.fileno())],
            inherited_fds=[],
            log=LogOptions(level="info", format="json", fd=1),
            options=asdict(options()),
        )
        self.worker = Worker(assignment, counters, events.logger, asyncio.Event(), ours)
        self._open = [self.listener, ours, self.lifeline]

    async def start(self) -> "asyncio.Task[None]":
        """Let it serve; return its work when it has payload that it is ready."""
        serving = asyncio.ensure_future(serve(self.worker))
        assert await asyncio.get_running_loop().sock_recv(self.lifeline, 64) == READY
        return serving

    async def connect(self) -> Peer:
        """Connect to the listener, whether the worker accepts or not."""
        connection = socket.socket()
        self._open.append(connection)
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, self.listener.getsockname())
        return Peer(connection)

    def close(self) -> None:
        """Close all that is open."""
        for each in (*self._open, *self.worker.listeners):
            each.close()


@pytest.fixture
def hired(new_counters: Callable[[Schema, int], SharedCounters], events: Events) -> Iterator[Hired]:
    """A worker that does not serve yet."""
    hired = Hired(new_counters(SCHEMA, ROW + 1), events)
    yield hired
    hired.close()


async def test_retires(hired: Hired, events: Events) -> None:
    """Told to retire it serves whom it has, leaves who comes to its successor, and returns when the last has gone."""
    serving = await hired.start()
    client = await hired.connect()
    assert await client.exchange(b"before") == b"BEFORE"
    hired.worker.retire.set()
    assert await client.exchange(b"after") == b"AFTER"
    await hired.connect()
    assert await client.exchange(b"still") == b"STILL"
    assert not serving.done()
    client.connection.close()
    await serving
    assert hired.row[SCHEMA.slot(ACCEPTED)] == 1
    assert [event["reason"] for event in events.find("connection.closed")] == ["eof"]


async def test_retires_with_nobody_connected(hired: Hired) -> None:
    """Told to retire while nobody is connected, it returns at once."""
    serving = await hired.start()
    hired.worker.retire.set()
    await asyncio.wait_for(serving, 1)


async def test_told_to_stop_after_it_retired(hired: Hired, events: Events) -> None:
    """Told to stop after it retired, it drains."""
    serving = await hired.start()
    client = await hired.connect()
    hired.worker.retire.set()
    assert await client.exchange(b"after") == b"AFTER"
    hired.worker.stop.set()
    assert await client.receive_all() == b""
    client.connection.close()
    await serving
    assert events.find("connection.closed", reason="drain")


async def test_failure_to_retire(hired: Hired, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug in retiring ends the worker as a failure, and is not swallowed."""

    retire = Server.retire

    async def broken(server: Server) -> None:
        await retire(server)
        raise ValueError("broken")

    monkeypatch.setattr(Server, "retire", broken)
    serving = await hired.start()
    hired.worker.retire.set()
    with pytest.raises(ValueError, match="broken"):
        await serving
