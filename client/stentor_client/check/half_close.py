"""Whether one direction can end before the other."""

import asyncio
import fcntl
import select
import socket
import struct
import termios
from dataclasses import dataclass
from time import perf_counter

from stentor_client.check.call import PIECE_BYTES, Call, pieces
from stentor_client.check.check import Check, Finding, Status
from stentor_client.check.subject import Subject, failure_of
from stentor_client.output import wording
from stentor_client.verify.outcomes import ExchangeError, Outcome, Phase
from stentor_client.wire.connection import Connection

SMALL_BYTES, LARGE_BYTES = 64, 2 << 20  # the large reply exceeds the buffers next to this side many times
QUICK_ATTEMPTS, QUICK_SECONDS = 20, 1.0  # a time-out of milliseconds does not end every one of them
PAUSES, PAUSE_SECONDS = 3, 1.25  # longer than a time-out of a second
STALL_SECONDS = 0.2  # without progress: the path is full, and only reading lets the message, and FIN, out
_LOOK_SECONDS = 0.02
_AT_ONCE_SECONDS = 0.1  # a connection that is cut later was not cut by FIN itself

_CAUSES = {
    (Phase.CLOSE, Outcome.TIMEOUT): "a proxy that does not forward the FIN",
    (Phase.CLOSE, Outcome.RESET): "a proxy that ends connections with a reset, as HAProxy does with option nolinger",
}
_TIME_OUT = "a short time-out for half-closed connections, such as HAProxy's timeout server-fin or client-fin"
_NOT_FIN = "a proxy or a server that ends connections after a short time; FIN has no part in it"


@dataclass(frozen=True, slots=True)
class _Attempt:
    error: ExchangeError | None
    unread_bytes: int = 0  # when message and FIN had gone
    seconds: float = 0.0  # from then until the connection was cut, or everything was read


class HalfClose(Check):
    """Ends this side right after the message, and reads on: at once, and a large reply also slowly."""

    name = "half-close"
    proves = "After this side ends (FIN), the whole reply still arrives, and then the peer's FIN."
    usual_cause = (
        "a proxy that ends both directions at the first FIN (nginx unless proxy_half_close is on), soon after it "
        "(HAProxy with a short timeout server-fin or client-fin), or with a reset (HAProxy with option nolinger)"
    )

    async def run(self, subject: Subject) -> Finding:
        """Run the check."""
        if subject.dial.tls:
            return Finding(Status.SKIP, "TLS cannot end one direction alone")
        begun = perf_counter()
        size = subject.fitting(LARGE_BYTES)
        tried = await _attempt(subject, SMALL_BYTES)
        words = f"{wording.size(SMALL_BYTES)}, then FIN"
        for _ in range(QUICK_ATTEMPTS):
            if tried.error is not None or perf_counter() > begun + QUICK_SECONDS:
                break
            tried = await _attempt(subject, size)
            words = f"{wording.size(size)}, then FIN"
        if tried.error is not None:
            return Finding.bad(tried.error, f"{words}: {tried.error}", _cause(tried.error))
        tried = await _attempt(subject, size, slowly=True)
        lasted, error = wording.elapsed(tried.seconds), tried.error
        measured = {"unread_bytes": tried.unread_bytes, "lasted_seconds": round(tried.seconds, 3)}
        if error is None:
            detail = f"the whole reply to {wording.size(SMALL_BYTES)} and {wording.size(size)}, then FIN"
            unread = wording.rounded_size(tried.unread_bytes)
            return Finding.good(f"{detail}; {unread} of it also over {lasted} after this side's", **measured)
        words = f"{words}, and a reply that is read slowly: {error}, {lasted} after FIN"
        control = (await _attempt(subject, size, slowly=True, fin=False)).error
        if control is not None:
            return Finding.bad(error, f"{words}; without FIN also {control}", _NOT_FIN, **measured)
        late = error.outcome is Outcome.RESET and tried.seconds > _AT_ONCE_SECONDS
        return Finding.bad(error, words, _TIME_OUT if late else _cause(error), **measured)


def _cause(error: ExchangeError) -> str:
    return _CAUSES.get((error.phase, error.outcome), "")


async def _attempt(subject: Subject, size: int, *, slowly: bool = False, fin: bool = True) -> _Attempt:
    """Send a message of `size` bytes, and FIN if wanted, and read the reply and the peer's FIN."""
    async with subject.call(narrow=slowly) as call:
        sending = asyncio.create_task(_send(call, size, fin=fin))
        found = await _read_slowly(call, size, sending) if slowly else _Attempt(None)
        await sending
        error = await failure_of(call.answered())
        if fin and error is None:
            error = await failure_of(call.ended())
        return _Attempt(error, found.unread_bytes, found.seconds)


async def _send(call: Call, size: int, *, fin: bool) -> None:
    stream = call.connection.socket
    if fin and size == SMALL_BYTES and stream.family != socket.AF_UNIX:
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)  # until FIN: a proxy reads both before any reply
    message, reply = call.build(size)
    await call.send(reply, pieces(message))
    if fin:
        call.connection.end_sending()


async def _read_slowly(call: Call, size: int, sending: "asyncio.Task[None]") -> _Attempt:
    """Read no more than lets the message out; then read with pauses, until the connection ends or they are over."""
    connection = call.connection
    connection.pause_reading()
    before, since = -1, perf_counter()
    while not _is_cut(connection) and ((left := _left(connection)) or not sending.done()):
        if left != before:
            before, since = left, perf_counter()
        elif perf_counter() - since > STALL_SECONDS:
            await call.read(PIECE_BYTES)
            since = perf_counter()
        await asyncio.sleep(_LOOK_SECONDS)
    unread, begun = size - call.received_bytes, perf_counter()
    for number in range(1, PAUSES + 1):
        while perf_counter() < begun + number * PAUSE_SECONDS and not _is_cut(connection):  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_SECONDS)
        await call.read(unread // (PAUSES + 1))
    seconds = perf_counter() - begun
    connection.resume_reading()
    return _Attempt(None, unread, seconds)


def _left(connection: Connection) -> int:
    """Return how many bytes, and FIN, are not sent or not acknowledged; by a Unix socket's peer, not read."""
    (queued,) = struct.unpack("i", fcntl.ioctl(connection.socket.fileno(), termios.TIOCOUTQ, bytes(4)))
    return connection.unsent + int(queued)


def _is_cut(connection: Connection) -> bool:
    """Return whether both directions have ended, also while nothing is read."""
    if connection.lost_by is not None:
        return True
    poll = select.poll()
    poll.register(connection.socket.fileno(), 0)  # errors and hang-ups are always reported
    return bool(poll.poll(0))
