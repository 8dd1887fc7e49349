"""The server's worker, without its process."""

import asyncio
import json
import os
import socket
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Self

import pytest

from stentor_chassis.control.listeners import bind_tcp
from stentor_chassis.control.worker import READY, Assignment, Worker
from stentor_chassis.counters.metrics import Schema
from stentor_chassis.counters.shared_counters import SharedCounters
from stentor_chassis.logs.log import LogOptions
from stentor_server.guard.addresses import AddressCounts
from stentor_server.metrics import ACCEPTED, OPEN, REJECTED, SCHEMA, SENT, RejectReason
from stentor_server.worker import serve
from unit.looping import Events, eventually
from unit.peer import Peer
from unit.server.serving import BACKLOG, LOOPBACK, options

ROW, ROWS = 2, 4
Work = Callable[..., "Working"]


class Working:
    """A worker with one listener, which stays open here, and this end of its lifeline."""

    def __init__(
        self, counters: SharedCounters, events: Events, inherited: tuple[int, ...] = (), **changes: Any
    ) -> None:
        """Bind the listener."""
        self.row = counters.row(ROW)
        self.counters = counters
        ((self.listener,),) = bind_tcp([LOOPBACK], 0, 1, BACKLOG)
        ours, self.lifeline = socket.socketpair()
        self.lifeline.setblocking(False)
        assignment = Assignment(
            service="stentor-server",
            version="0",
            worker=1,
            row=ROW,
            rows=ROWS,
            counters_fd=counters.fd,
            listener_fds=[os.dup(self.listener.fileno())],
            inherited_fds=list(inherited),
            log=LogOptions(level="info", format="json", fd=1),
            options=json.loads(json.dumps(asdict(options(**changes)))),
        )
        self.worker = Worker(assignment, counters, events.logger, asyncio.Event(), ours)
        self._open = [self.listener, ours, self.lifeline]

    async def __aenter__(self) -> Self:
        """Serve, and wait until it is ready."""
        self.serving = asyncio.ensure_future(serve(self.worker))
        assert await asyncio.get_running_loop().sock_recv(self.lifeline, 64) == READY
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the clients, and wait for the worker to return."""
        for each in self._open[3:]:
            each.close()
        self.worker.stop.set()
        await asyncio.wait([self.serving])
        for each in (*self._open, *self.worker.listeners):
            each.close()

    async def connect(self) -> Peer:
        """Connect to the listener, whether the worker accepts or not."""
        connection = socket.socket()
        self._open.append(connection)
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, self.listener.getsockname())
        return Peer(connection)


@pytest.fixture
def work(new_counters: Callable[[Schema, int], SharedCounters], events: Events) -> Work:
    """Makes workers, each of which serves in its block."""
    return lambda *inherited, **changes: Working(new_counters(SCHEMA, ROWS), events, inherited, **changes)


async def test_stop(work: Work, events: Events) -> None:
    """It serves its listeners, counts in its row, drains on `stop`, and returns."""
    async with work() as working:
        client = await working.connect()
        assert await client.exchange(b"served") == b"SERVED"
        sent = SCHEMA.slot(SENT)
        await eventually(lambda: working.counters.totals([working.row.tolist()])[sent] == 6, "the bytes to be counted")
        assert working.row[SCHEMA.slot(ACCEPTED)] == 1
        working.worker.stop.set()
        assert await client.receive_all() == b""
        client.connection.close()
        await working.serving
    assert events.find("connection.closed", reason="drain")


async def test_limit_per_address(work: Work) -> None:
    """It counts addresses in its own row of the inherited table, and reads the other rows."""
    fd = AddressCounts.create(ROWS, 10)
    predecessor, other = AddressCounts(fd, ROWS, ROW), AddressCounts(fd, ROWS, 3)
    predecessor.add(LOOPBACK)
    async with work(fd, max_connections_per_address=2) as working:
        other.add(LOOPBACK)
        working.counters.row(3)[SCHEMA.slot(OPEN)] = 1
        client = await working.connect()
        assert await client.exchange(b"second") == b"SECOND"
        assert other[LOOPBACK] == 2
        assert await (await working.connect()).receive_all() == b""
        assert working.row[SCHEMA.slot(REJECTED, RejectReason.PER_ADDRESS)] == 1
        client.connection.close()
        await eventually(lambda: other[LOOPBACK] == 1, "its own to be counted no more")
    os.close(fd)


async def test_retire(work: Work, events: Events) -> None:
    """On `retire` it keeps its connections, leaves new ones to its successor, and returns when the last has ended."""
    async with work() as working:
        client = await working.connect()
        assert await client.exchange(b"before") == b"BEFORE"
        working.worker.retire.set()
        assert await client.exchange(b"after") == b"AFTER"
        await working.connect()
        assert await client.exchange(b"still") == b"STILL"
        assert not working.serving.done()
        client.connection.close()
        await working.serving
        assert working.row[SCHEMA.slot(ACCEPTED)] == 1
    assert [event["reason"] for event in events.find("connection.closed")] == ["eof"]
