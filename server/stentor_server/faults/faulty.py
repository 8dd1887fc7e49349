"""A connection with deliberate faults."""

import asyncio
import time

from stentor_chassis.address import Address, printable
from stentor_server.faults.fault import Fault, Faults, Injection
from stentor_server.metrics import FAULTS, SCHEMA, CloseReason
from stentor_server.path.connection import Connection, reset_on_close
from stentor_server.path.lane import Lane
from stentor_server.path.poller import PEER_CLOSED, WRITABLE
from stentor_server.path.transform import translate


class FaultyConnection(Connection):
    """Serves like any other connection, except for answers with a fault.

    An answer is what was read at once. The counters stay exact: what a fault withholds was received and is unsent, and
    each `extra` is one byte sent that was not received. Bytes stay in order, because a delayed answer pauses reading.
    """

    __slots__ = ("_faults", "_timer")

    def __init__(self, faults: Faults, lane: Lane, fd: int, client: Address, proxy: Address = ()) -> None:
        """Draw from `faults`."""
        super().__init__(lane, fd, client, proxy)
        self._faults = faults
        self._timer: asyncio.TimerHandle | None = None  # while an answer is delayed

    def ready(self, events: int) -> None:
        """Answer one chunk, or inject the fault that is drawn for it."""
        if self._slow:
            self._ready_slow(events)
            return
        lane = self._lane
        nbytes = self._receive(lane.buffers)
        if not nbytes:
            return
        self.active_at = self._poller.now
        self._count_received(nbytes)
        chunk = lane.buffer[:nbytes]
        translate(chunk, lane.table, inplace=True)
        injection = self._faults.of_answer()
        if injection is None:
            self._answer(chunk)
            return
        self._row[SCHEMA.slot(FAULTS, injection.fault)] += 1
        lane.log.debug("fault.injected", fault=injection.fault, peer=printable(self.client))
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
                self._unsent -= 1  # more is sent on this connection than was received
                self._answer(answer + b"!")
            case Fault.TRUNCATE:
                half = len(answer) // 2
                self._count_unsent(len(answer) - half)
                if self._answer(answer[:half]):
                    self.finish(CloseReason.FAULT)
            case Fault.EARLY_FIN:
                self._count_unsent(len(answer))
                self.finish(CloseReason.FAULT)
            case Fault.RESET:
                self._count_unsent(len(answer))
                reset_on_close(self.fd)
                self.close(CloseReason.FAULT)
            case Fault.STALL:
                self._count_unsent(len(answer))
                self._slow = True  # from now on data is read and discarded, so that the peer's FIN is seen
                self._reason = CloseReason.FAULT

    def _answer(self, answer: memoryview | bytearray) -> bool:
        """Send it; return whether the socket is still open."""
        return self._send(memoryview(answer), len(answer))

    def _hold(self, answer: bytearray, seconds: float, piece: int | None = None) -> None:
        """Delay an answer as if the peer did not read; then release it, or `piece` bytes of it every so often."""
        self._pause_reading(memoryview(answer), len(answer))
        self._poller.rewatch(self.fd, 0 if self.peer_closed_at else PEER_CLOSED)
        self._release_later(seconds, piece)

    def _release_later(self, seconds: float, piece: int | None) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._release, seconds, piece)

    def _release(self, seconds: float, piece: int | None) -> None:
        self._timer = None
        self._poller.now = time.monotonic()  # a timer runs outside the poller, which sets the clock
        if piece is None:
            self._poller.rewatch(self.fd, WRITABLE if self.peer_closed_at else WRITABLE | PEER_CLOSED)
        else:
            self._flush(piece)
            if self.pending:
                self._release_later(seconds, piece)

    def _ready_slow(self, events: int) -> None:
        if self._timer is not None and not events & ~PEER_CLOSED:
            self.peer_closed_at = self._poller.now
            self._poller.rewatch(self.fd, 0)
        else:
            super()._ready_slow(events)

    def catch_up(self) -> bool:
        """Handle what waits as `Connection` does, except that a delayed answer stays delayed."""
        return self._timer is not None or super().catch_up()

    def close(self, reason: CloseReason, error: str = "") -> None:
        """Close as `Connection` does, and drop a delayed answer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        super().close(reason, error)
