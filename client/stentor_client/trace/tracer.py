"""Makes one exchange, and notes when each part began and ended."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import uvloop

from stentor_chassis.counters.histogram import NANOSECONDS
from stentor_client.account import Account
from stentor_client.metrics import RETRANSMITS, RTT, SCHEMA
from stentor_client.output.wording import timestamp
from stentor_client.trace.agreement import Agreement
from stentor_client.verify.explanation import explain
from stentor_client.verify.outcomes import Outcome, Phase
from stentor_client.verify.verifier import ReplyPart, Verdict
from stentor_client.wire.connection import Connection
from stentor_client.wire.dial_record import DialError, DialRecord
from stentor_client.wire.dialer import Dialer
from stentor_client.wire.stall_watcher import StallWatcher

SEND = "send"  # not a phase in the metrics: it lasts only as long as the kernel's copy
# Fields that JSON has as they are.
_FACTS = (
    *("target", "outcome", "detail", "addresses", "local", "remote"),
    *("message_bytes", "sent_bytes", "received_bytes", "reads"),
)


@dataclass(frozen=True, slots=True)
class Part:
    """One part of an exchange, between two moments of the performance counter."""

    name: str
    begun: int
    ended: int
    remote: str = ""  # the address tried, if this is a connect
    error: str = ""  # why this address failed


@dataclass(slots=True)
class Trace:
    """One exchange. Moments are nanoseconds of the performance counter."""

    target: str
    host: str  # empty for a Unix socket
    message_bytes: int
    started_at: datetime
    begun: int
    ended: int = 0
    outcome: Outcome = Outcome.OK
    detail: str = ""
    parts: list[Part] = field(default_factory=list)  # in order, without overlap; a failure is the last's
    addresses: list[str] = field(default_factory=list)  # that the name resolved to
    local: str = ""
    remote: str = ""
    proxy_header: bytes = b""
    tls: Agreement | None = None
    half_closed: bool = False  # we ended our side while the server's was open
    accepted_bytes: int = 0  # of the message, by the kernel before `send` returned
    sent_bytes: int = 0
    received_bytes: int = 0
    reads: int = 0  # in which the reply arrived
    rtt_microseconds: int | None = None  # the kernel's estimate
    retransmits: int | None = None

    @property
    def total(self) -> int:
        """The duration of the exchange, in nanoseconds."""
        return self.ended - self.begun

    @property
    def between(self) -> int:
        """The time between the parts, in the client itself."""
        covered, until = 0, self.begun
        for part in sorted(self.parts, key=lambda part: part.begun):  # attempts to connect can overlap
            covered += max(0, part.ended - max(part.begun, until))
            until = max(until, part.ended)
        return self.total - covered

    def facts(self) -> dict[str, Any]:
        """Return the trace as JSON has it, with times in seconds from the beginning."""
        return {
            **{name: getattr(self, name) for name in _FACTS},
            "started_at": timestamp(self.started_at),
            "proxy_header": self.proxy_header.decode("latin-1"),
            "tls": asdict(self.tls) if self.tls else None,
            "tcp_rtt_seconds": None if self.rtt_microseconds is None else self.rtt_microseconds / 1_000_000,
            "tcp_retransmits": self.retransmits,
            "phases": [
                {
                    "phase": part.name,
                    "start_seconds": (part.begun - self.begun) / NANOSECONDS,
                    "duration_seconds": (part.ended - part.begun) / NANOSECONDS,
                    "remote": part.remote,
                    "error": part.error,
                }
                for part in self.parts
            ],
            "between_seconds": self.between / NANOSECONDS,
            "total_seconds": self.total / NANOSECONDS,
        }


class _Traced(Connection):
    """Also notes TLS and the number of reads."""

    tls: Agreement | None = None
    reads = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in Connection
        """Note what TLS agreed on."""
        super().connection_made(transport)
        tls = transport.get_extra_info("ssl_object")
        self.tls = Agreement.of(tls) if tls else None

    def buffer_updated(self, nbytes: int) -> None:
        """Count the read."""
        self.reads += 1
        super().buffer_updated(nbytes)


def trace(dialer: Dialer, message: bytes, reply: Sequence[ReplyPart], timeout: float) -> Trace:
    """Send `message`, which is not empty, expect `reply`, and close.

    `timeout`, in seconds, is how long the reply, and then the close, may stall.
    """
    return uvloop.run(_trace(dialer, message, reply, timeout))


async def _trace(dialer: Dialer, message: bytes, reply: Sequence[ReplyPart], timeout: float) -> Trace:
    target = dialer.target
    account = Account()
    trace = Trace(str(target), target.host, len(message), datetime.now(UTC), time.perf_counter_ns())
    connection: _Traced | None = None
    try:
        connection, record = await dialer.dial(lambda: _Traced(account))
    except DialError as error:
        trace.outcome, trace.detail, record = error.outcome, error.detail, error.record
    _note_dialing(trace, record)
    if connection is not None:
        begun = time.perf_counter_ns()
        connection.write(message, reply)
        written = time.perf_counter_ns()
        trace.accepted_bytes = account.sent_bytes
        trace.parts.append(Part(SEND, begun, written))
        verdict = await _answer(trace, connection, StallWatcher(connection, account, timeout), written)
        await connection.abandon(verdict.outcome)
        if verdict.outcome is not Outcome.OK:
            trace.outcome = verdict.outcome
            trace.detail = f"{trace.remote}: {explain(verdict, timeout)}"
        _note_connection(trace, connection, account)
    trace.ended = max(part.ended for part in trace.parts)  # an earlier attempt may have waited longer
    return trace


async def _answer(trace: Trace, connection: _Traced, watcher: StallWatcher, written: int) -> Verdict:
    """Wait for the reply, and then for the end of the connection."""
    verdict = await watcher.during(connection.verdict())
    ended = connection.answered_at or time.perf_counter_ns()
    first = connection.first_byte_at or ended
    trace.parts.append(Part(Phase.FIRST_BYTE, written, first))
    if connection.first_byte_at:
        trace.parts.append(Part(Phase.REPLY, first, ended))
    if verdict.outcome is Outcome.OK:
        connection.look_at_kernel()  # now, because the peer may end the connection
        verdict = await watcher.during(_close(connection))
        trace.parts.append(Part(Phase.CLOSE, ended, time.perf_counter_ns()))
        trace.half_closed = connection.ended_sending
    return verdict


async def _close(connection: Connection) -> Verdict:
    """Read to the end and close; TLS is closed at once."""
    ended = await connection.finish()
    await connection.close()
    if connection.lost_by is Outcome.TIMEOUT:  # TLS, and the peer did not close
        return Verdict(Outcome.TIMEOUT)
    return connection.verifier.failed or ended


def _note_dialing(trace: Trace, record: DialRecord) -> None:
    for step in record.steps:
        part = Part(step.phase, step.begun, step.ended, str(step.endpoint or ""), step.error)
        last = trace.parts[-1] if trace.parts else None
        if last and (last.name, last.remote, last.error) == (part.name, part.remote, ""):  # one part in two steps
            trace.parts[-1] = replace(part, begun=last.begun)
        else:
            trace.parts.append(part)
    trace.addresses = [str(endpoint) for endpoint in record.endpoints]
    trace.local, trace.remote = record.local, str(record.endpoint or "")
    trace.proxy_header = record.proxy_header


def _note_connection(trace: Trace, connection: _Traced, account: Account) -> None:
    trace.tls, trace.reads = connection.tls, connection.reads
    trace.sent_bytes, trace.received_bytes = account.sent_bytes, account.received_bytes
    if account.row[SCHEMA.slot(RTT)]:  # missing for a Unix socket, and if the connection was gone before we looked
        trace.rtt_microseconds = account.row[SCHEMA.slot(RTT)]
        trace.retransmits = account.row[SCHEMA.slot(RETRANSMITS)]
