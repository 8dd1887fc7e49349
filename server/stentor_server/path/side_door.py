"""The side door of one worker: its way in for health checks, which cannot fail because of what others do.

Health checks are served like any other connection, but no limit applies to them, nor TLS, PROXY or faults. They appear
in no count but their own.
"""

import os
import socket
import struct
from dataclasses import replace
from functools import partial

from stentor_chassis.address import Address
from stentor_chassis.counters.shared_counters import SLOT_BYTES
from stentor_chassis.logs.log import SILENT
from stentor_server.metrics import ANSWERED, HEALTH_CHECKS, SCHEMA, SENT, CheckResult, CloseReason
from stentor_server.path.connection import Connection, borrowed_socket
from stentor_server.path.lane import Lane

CHECK_SECONDS = 10.0  # a check that is open for longer has been given up
_CREDENTIALS = struct.Struct("iII")  # process, user and group, see SO_PEERCRED in unix(7)


class SideDoor:
    """Serves the health checks of this user and of root."""

    def __init__(self, row: "memoryview[int]", lane: Lane) -> None:
        """Count results in `row`; everything else about a check is counted in a row of its own."""
        self._row = row
        self._lane = lane
        self.checks: dict[int, Connection] = {}  # by descriptor

    def admit(self, fd: int, _address: Address) -> None:
        """Serve a health check; anybody can connect, so another user's is refused here."""
        if peer_user(fd) not in {0, os.geteuid()}:
            self._refuse(fd, CheckResult.REFUSED)
            return
        row = memoryview(bytearray(SCHEMA.row_slots * SLOT_BYTES)).cast("q")
        lane = replace(self._lane, row=row, log=SILENT, forget=partial(self._forget, row))
        connection = Connection(lane, fd, ())
        try:
            lane.poller.watch(fd, connection)
        except OSError:  # epoll(7) has reached its limit
            self._refuse(fd, CheckResult.FAILED)
        else:
            self.checks[fd] = connection

    def sweep(self, now: float) -> None:
        """Close what has been given up."""
        for check in [*self.checks.values()]:
            if now - check.opened_at > CHECK_SECONDS and check.catch_up():
                check.abort(CloseReason.IDLE_TIMEOUT)

    def _forget(self, row: "memoryview[int]", fd: int, _client: Address, _reason: CloseReason, _duration: int) -> None:
        del self.checks[fd]
        answered = row[SCHEMA.slot(ANSWERED)] or row[SCHEMA.slot(SENT)]
        self._count(CheckResult.OK if answered else CheckResult.FAILED)

    def _refuse(self, fd: int, result: CheckResult) -> None:
        os.close(fd)
        self._count(result)

    def _count(self, result: CheckResult) -> None:
        self._row[SCHEMA.slot(HEALTH_CHECKS, result)] += 1


def peer_user(fd: int) -> int:
    """Return the user id of the process that connected."""
    with borrowed_socket(fd) as stream:
        found = stream.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(found)[1])
