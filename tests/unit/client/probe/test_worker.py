"""The client's data process, without the process."""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import asdict

from lying import LyingServer
from stentor_chassis.control.worker import DONE, READY, Assignment, Worker
from stentor_chassis.counters.metrics import Schema
from stentor_chassis.counters.shared_counters import GONE, SharedCounters
from stentor_chassis.logs.log import LogOptions
from stentor_client.metrics import EXCHANGES, SCHEMA
from stentor_client.probe.options import ProbeOptions
from stentor_client.probe.worker import serve
from stentor_client.verify.outcomes import Outcome
from stentor_client.wire.dialer import DialOptions
from unit.looping import Events


def _upper(connection: socket.socket) -> None:
    for data in iter(lambda: connection.recv(65536), b""):
        connection.sendall(data.upper())


async def test_probes_to_the_end(new_counters: Callable[[Schema, int], SharedCounters], events: Events) -> None:
    """It says that it is ready, probes as it is told, goes on for one that is gone, and says that it is done."""

    async def scenario(target: str) -> None:
        options = ProbeOptions(
            dial=DialOptions(target=target, connect_timeout_seconds=5.0),
            interval_seconds=0.001,
            connection="persistent",
            resolve="first",
            sizes=[64],
            count=3,
            timeout_seconds=5.0,
            expect="upper",
        )
        counters = new_counters(SCHEMA, 3)
        assignment = Assignment(
            service="stentor-client",
            version="0",
            worker=0,
            row=2,
            rows=3,
            counters_fd=counters.fd,
            listener_fds=[],
            inherited_fds=[],
            log=LogOptions(level="info", format="json", fd=2),
            options=asdict(options),
        )
        counters.row(GONE)[SCHEMA.slot(EXCHANGES, Outcome.RESET)] = 1
        ours, theirs = socket.socketpair()
        with ours, theirs:
            await serve(Worker(assignment, counters, events.logger, asyncio.Event(), ours))
            assert theirs.recv(64) == READY + DONE
        assert counters.row(2)[SCHEMA.slot(EXCHANGES, Outcome.OK)] == 2  # the first was made by the one that is gone

    with LyingServer(_upper) as server:
        await scenario(server.target)
