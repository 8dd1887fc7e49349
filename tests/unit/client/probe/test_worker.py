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
from stentor_client.probe.worker import serve
from stentor_client.verify.outcomes import Outcome
from unit.client.probing import honest, probe_options
from unit.looping import Events


async def test_probes_to_the_end(new_counters: Callable[[Schema, int], SharedCounters], events: Events) -> None:
    """It reports that it is ready, continues the counts of its predecessor, and reports that it is done."""
    counters = new_counters(SCHEMA, 3)
    counters.row(GONE)[SCHEMA.slot(EXCHANGES, Outcome.RESET)] = 1
    ours, theirs = socket.socketpair()
    with LyingServer(honest) as server, ours, theirs:
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
            options=asdict(probe_options(server.target, count=3)),
        )
        await serve(Worker(assignment, counters, events.logger, asyncio.Event(), ours))
        assert theirs.recv(64) == READY + DONE
    assert counters.row(2)[SCHEMA.slot(EXCHANGES, Outcome.OK)] == 2
