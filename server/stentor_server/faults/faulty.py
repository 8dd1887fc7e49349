"""A connection that does wrong, on purpose, what the others do right."""

import asyncio
import time
from typing import TYPE_CHECKING

from stentor_chassis.address import Address, printable
from stentor_server.faults.fault import Fault, Faults, Injection
from stentor_server.metrics import FAULTS, SCHEMA, CloseReason
from stentor_server.path.connection import Connection, reset_on_close
from stentor_server.path.poller import PEER_ENDED, WRITABLE
from stentor_server.path.transform import translate

if TYPE_CHECKING:
    from stentor_server.server import Server


class FaultyConnection(Connection):
    """Serves like any other, until a fault is drawn for an answer: to what was read in one go.

    The account stays exact: what a fault keeps back was received and is unsent, and each `extra` is one byte sent that
    was not received. The order of the bytes stays as well: while an answer is held back, nothing more is read.
    """

    __slots__ = ("_faults", "_timer")

    def __init__(self, faults: Faults, server: "Server", fd: int, client: Address, proxy: Address = ()) -> None:
        """Do wrong what `faults` says."""
        super().__init__(server, fd, client, proxy)
        self._faults = faults
        self._timer: asyncio.TimerHandle | None = None  # while an answer is held back

    def ready(self, events: int) -> None:
        """Answer one chunk, or do to it what is drawn."""
        if self._slow:
            self._ready_slowly(events)
            return
        server = self._server
        nbytes = self._receive(server.buffers)
        if not nbytes:
            return
        self.active_at = self._poller.now
        self._count_received(nbytes)
        chunk = server.buffer[:nbytes]
        translate(chunk, server.table, inplace=True)
        injection = self._faults.of_answer()
        if injection is None:
            self._answer(chunk)
            return
        self._row[SCHEMA.slot(FAULTS, injection.fault)] += 1
        server.log.debug("fault.injected", fault=injection.fault, peer=printable(self.client))
        self._inject(injection, bytearray(chunk))

    def _inject(self, injection: Injection, answer: bytearray) -> None:
        match injection.fault:
            case Fault.DELAY:
                self._hold(answer, injection.seconds)
            case Fault.DRIP:
                self._hold(answer, injection.seconds, piece=1)
            case Fault.CORRUPT:
                draw = self._faults.random.randrange
                answer[draw(len(answer))] ^= 1 << draw(8)
                self._answer(answer)
            case Fault.EXTRA:
                self._unsent -= 1  # of this connection more is sent than was received
                self._answer(answer + b"!")
            case Fault.TRUNCATE:
                half = len(answer) // 2
                self._lose(len(answer) - half)
                if self._answer(answer[:half]):
                    self.leave(CloseReason.FAULT)
            case Fault.EARLY_FIN:
                self._lose(len(answer))
                self.leave(CloseReason.FAULT)
            case Fault.RESET:
                self._lose(len(answer))
                reset_on_close(self.fd)
                self.close(CloseReason.FAULT)
            case Fault.STALL:
                self._lose(len(answer))
                self._slow = True  # from here on what comes is read, for there is an end behind it, and dropped
                self._reason = CloseReason.FAULT

    def _answer(self, answer: memoryview | bytearray) -> bool:
        """Send it; return whether the connection is still there."""
        return self._send(memoryview(answer), len(answer))

    def _hold(self, answer: bytearray, seconds: float, piece: int | None = None) -> None:
        """Let an answer wait as if the peer did not read; every so many seconds a piece of it goes, or all."""
        self._fall_behind(memoryview(answer), len(answer))
        self._poller.rewatch(self.fd, 0 if self.ended_at else PEER_ENDED)
        self._go_on_later(seconds, piece)

    def _go_on_later(self, seconds: float, piece: int | None) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._go_on, seconds, piece)

    def _go_on(self, seconds: float, piece: int | None) -> None:
        self._timer = None
        self._poller.now = time.monotonic()  # a timer's call, which the poller knows nothing of
        if piece is None:
            self._poller.rewatch(self.fd, WRITABLE if self.ended_at else WRITABLE | PEER_ENDED)
        else:
            self._flush(piece)
            if self.waiting:
                self._go_on_later(seconds, piece)

    def _ready_slowly(self, events: int) -> None:
        if self._timer is not None and not events & ~PEER_ENDED:
            self.ended_at = self._poller.now
            self._poller.rewatch(self.fd, 0)
        else:
            super()._ready_slowly(events)

    def close(self, reason: CloseReason, error: str = "") -> None:
        """Close the socket and the account, and hold nothing back any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        super().close(reason, error)
