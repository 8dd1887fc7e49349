"""Whether one direction can end before the other."""

import asyncio
import fcntl
import socket
import struct
import termios
from time import perf_counter

from stentor_client.check.call import PIECE_BYTES, Call, pieces
from stentor_client.check.check import Check, Finding, Status
from stentor_client.check.subject import Subject, failure_of
from stentor_client.output import wording
from stentor_client.verify.outcomes import ExchangeError, Outcome, Phase
from stentor_client.wire.connection import Connection

SMALL_BYTES, LARGE_BYTES = 64, 2 << 20  # the large reply exceeds the buffers next to this side many times
QUICK_ATTEMPTS, QUICK_SECONDS = 20, 1.0  # a time-out of milliseconds does not end every one of them
PAUSES, PAUSE_SECONDS = 2, 1.25  # longer than a time-out of a second
STALL_SECONDS = 0.2  # without progress: the path is full, and only reading lets the message, and FIN, out
_LOOK_SECONDS = 0.02

_CAUSES = {
    (Phase.CLOSE, Outcome.TIMEOUT): "a proxy that does not forward the FIN",
    (Phase.CLOSE, Outcome.RESET): "a proxy that ends connections with a reset, as HAProxy does with option nolinger",
}
_NOT_FIN = "a proxy or a server that ends connections after a short time; FIN has no part in it"


class HalfClose(Check):
    """Ends this side right after the message, and reads on: at once, and a large reply also slowly."""

    name = "half-close"
    proves = "After this side ends (FIN), the whole reply still arrives, and then the peer's FIN."
    usual_cause = (
        "a proxy that ends both directions at the first FIN (nginx unless proxy_half_close is on), soon after it "
        "(HAProxy with a short timeout server-fin), or with a reset (HAProxy with option nolinger)"
    )

    async def run(self, subject: Subject) -> Finding:
        """Run the check."""
        if subject.dial.tls:
            return Finding(Status.SKIP, "TLS cannot end one direction alone")
        small, size, until = wording.size(SMALL_BYTES), subject.fitting(LARGE_BYTES), perf_counter() + QUICK_SECONDS
        error, _ = await _attempt(subject, SMALL_BYTES)
        words = f"{small}, then FIN"
        for _ in range(QUICK_ATTEMPTS):
            if error or perf_counter() > until:
                break
            error, _ = await _attempt(subject, size)
            words = f"{wording.size(size)}, then FIN"
        if error:
            return Finding.bad(error, f"{words}: {error}", _CAUSES.get((error.phase, error.outcome), ""))
        error, unread = await _attempt(subject, size, slowly=True)
        if error:
            words = f"{wording.size(size)}, then FIN, and the reply read slowly: {error}"
            control, _ = await _attempt(subject, size, slowly=True, fin=False)
            if control:
                return Finding.bad(error, f"{words}; without FIN also {control}", _NOT_FIN, unread_bytes=unread)
            return Finding.bad(error, words, _CAUSES.get((error.phase, error.outcome), ""), unread_bytes=unread)
        lasted, rest = wording.duration(PAUSES * PAUSE_SECONDS), wording.rounded_size(unread)
        words = f"the whole reply to {small} and {wording.size(size)}, then FIN; {rest} of it also over {lasted}"
        return Finding.good(words, unread_bytes=unread)


async def _attempt(
    subject: Subject, size: int, *, slowly: bool = False, fin: bool = True
) -> tuple[ExchangeError | None, int]:
    """Send a message of `size` bytes, and FIN if wanted, and read the reply and the peer's FIN.

    Return what went wrong, and for a reply that is read slowly, how much was unread when message and FIN had gone.
    """
    async with subject.call(narrow=slowly) as call:
        sending = asyncio.create_task(_send(call, size, fin=fin))
        unread = await _read_slowly(call, size, sending) if slowly else 0
        await sending
        error = await failure_of(call.answered())
        if fin and error is None:
            error = await failure_of(call.ended())
        return error, unread


async def _send(call: Call, size: int, *, fin: bool) -> None:
    stream = call.connection.socket
    if fin and size == SMALL_BYTES and stream.family != socket.AF_UNIX:
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)  # until FIN: a proxy reads both before any reply
    message, reply = call.build(size)
    await call.send(reply, pieces(message))
    if fin:
        call.connection.end_sending()


async def _read_slowly(call: Call, size: int, sending: "asyncio.Task[None]") -> int:
    """Read just enough to let the message out; then read most of the rest, with pauses, and return how much it was."""
    call.connection.pause_reading()
    before, since = -1, perf_counter()
    while (left := _left(call.connection)) or not sending.done():
        if left != before:
            before, since = left, perf_counter()
        elif perf_counter() - since > STALL_SECONDS:
            await call.read(PIECE_BYTES)
            since = perf_counter()
        await asyncio.sleep(_LOOK_SECONDS)
    unread = size - call.received_bytes
    for _ in range(PAUSES):
        await asyncio.sleep(PAUSE_SECONDS)
        await call.read(unread // (PAUSES + 1))
    call.connection.resume_reading()
    return unread


def _left(connection: Connection) -> int:
    """Return how many bytes, with FIN as one, are unsent or unacknowledged; on a Unix socket, unsent or unread."""
    if connection.lost_by is not None:
        return 0
    (queued,) = struct.unpack("i", fcntl.ioctl(connection.socket.fileno(), termios.TIOCOUTQ, bytes(4)))
    return connection.unsent + int(queued)
