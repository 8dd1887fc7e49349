"""The server's data process, without the process."""

import asyncio
import json
import os
import socket
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Self

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

NewCounters = Callable[[Schema, int], SharedCounters]


class Running:
    """The work of a worker, on a listener and a row of the test's."""

    def __init__(self, counters: SharedCounters, events: Events, inherited: list[int], **changes: Any) -> None:
        """Begin, within the loop."""
        self.stop = asyncio.Event()
        ((self.listener,),) = bind_tcp([LOOPBACK], 0, 1, BACKLOG)
        self._ours, self.lifeline = socket.socketpair()
        self.lifeline.setblocking(False)
        assignment = Assignment(
            service="stentor-server",
            version="0",
            worker=1,
            row=2,
            rows=counters.rows,
            counters_fd=counters.fd,
            listener_fds=[os.dup(self.listener.fileno())],
            inherited_fds=inherited,
            log=LogOptions(level="info", format="json", fd=1),
            options=json.loads(json.dumps(asdict(options(**changes)))),
        )
        self.worker = Worker(assignment, counters, events.logger, self.stop, self._ours)
        self.serving = asyncio.ensure_future(serve(self.worker))

    async def __aenter__(self) -> Self:
        """Wait until it says that it is ready."""
        assert await asyncio.get_running_loop().sock_recv(self.lifeline, 64) == READY
        return self

    async def __aexit__(self, *_: object) -> None:
        """Tell it to stop, and wait for that."""
        self.stop.set()
        await self.serving
        for each in (*self.worker.listeners, self.listener, self.lifeline, self._ours):
            each.close()

    async def connect(self) -> Peer:
        """Connect."""
        connection = socket.socket()
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, self.listener.getsockname())
        return Peer(connection)


async def test_serves_until_told_to_stop(new_counters: NewCounters, events: Events) -> None:
    """It says that it is ready when it serves its listeners, counts in its row, drains when told to, and returns."""
    counters = new_counters(SCHEMA, 3)
    async with Running(counters, events, []) as running:
        client = await running.connect()
        assert await client.exchange(b"served") == b"SERVED"
        row = counters.row(2)
        await eventually(lambda: counters.totals([row.tolist()])[SCHEMA.slot(SENT)] == 6, "the bytes to be counted")
        assert row[SCHEMA.slot(ACCEPTED)] == 1
        running.stop.set()
        assert await client.receive_all() == b""
        client.connection.close()
        await running.serving
    assert events.find("connection.closed", reason="drain")


async def test_shares_counts_of_addresses(new_counters: NewCounters, events: Events) -> None:
    """With a limit per address it counts in its own row of the table that it inherits, and reads the others'."""
    counters = new_counters(SCHEMA, 4)
    fd = AddressCounts.create(4, 10)
    successor, other = AddressCounts(fd, 4, 2), AddressCounts(fd, 4, 3)
    successor.add(LOOPBACK)  # left over by its predecessor
    async with Running(counters, events, [fd], max_connections_per_address=2) as running:
        other.add(LOOPBACK)
        counters.row(3)[SCHEMA.slot(OPEN)] = 1
        client = await running.connect()
        assert await client.exchange(b"second") == b"SECOND"
        assert other[LOOPBACK] == 2
        third = await running.connect()
        assert await third.receive_all() == b""
        assert counters.row(2)[SCHEMA.slot(REJECTED, RejectReason.PER_ADDRESS)] == 1
        for each in (client, third):
            each.connection.close()
        await eventually(lambda: other[LOOPBACK] == 1, "its own to be counted no more")
    os.close(fd)
