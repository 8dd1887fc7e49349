"""The server's data process, without the process."""

import asyncio
import os
import socket
from collections.abc import Callable
from dataclasses import asdict

from stentor_chassis.board import Board
from stentor_chassis.listeners import bind_tcp
from stentor_chassis.logs import LogOptions
from stentor_chassis.metrics import Schema
from stentor_chassis.worker import READY, Assignment, Worker
from stentor_server.metrics import ACCEPTED, SCHEMA, SENT
from stentor_server.worker import serve
from unit.looping import Events, Loop, eventually
from unit.peer import Peer
from unit.server.serving import BACKLOG, options


def test_serves_until_told_to_stop(loop: Loop, new_board: Callable[[Schema, int], Board], events: Events) -> None:
    """It says that it is ready when it serves its listeners, counts in its row, drains when told to, and returns."""

    async def scenario() -> None:
        board = new_board(SCHEMA, 3)
        ((listener,),) = bind_tcp("127.0.0.1", 0, 1, BACKLOG)
        ours, theirs = socket.socketpair()
        assignment = Assignment(
            service="stentor-server",
            version="0",
            worker=1,
            row=2,
            rows=3,
            board_fd=board.fd,
            listener_fds=[os.dup(listener.fileno())],
            log=LogOptions(level="info", format="json", fd=1),
            options=asdict(options()),
        )
        stop = asyncio.Event()
        with listener, ours, theirs, socket.socket() as connection:
            theirs.setblocking(False)
            worker = Worker(assignment, board, events.logger, stop, ours)
            serving = asyncio.ensure_future(serve(worker))
            assert await asyncio.get_running_loop().sock_recv(theirs, 64) == READY
            caller = Peer(connection)
            await asyncio.get_running_loop().sock_connect(connection, listener.getsockname())
            assert await caller.ask(b"served") == b"SERVED"
            row = board.row(2)
            await eventually(lambda: row[SCHEMA.slot(SENT)] == 6, "the bytes to be counted")
            assert row[SCHEMA.slot(ACCEPTED)] == 1
            stop.set()
            assert await caller.hear_all() == b""
            connection.close()
            await serving
            for each in worker.listeners:
                each.close()
        assert events.find("connection.closed", reason="drain")

    loop.run(scenario())
