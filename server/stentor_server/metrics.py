"""Every metric of the server, declared once."""

from collections.abc import Sequence
from enum import StrEnum

from stentor_chassis.counters.histogram import AGE_BOUNDS
from stentor_chassis.counters.metrics import LOOP_LAG, ReloadResult, Schema
from stentor_chassis.page.view import Chart, Distribution, Line, Table, View
from stentor_server.faults.fault import Fault


class CloseReason(StrEnum):
    """Why a connection closed."""

    EOF = "eof"
    RESET = "reset"
    IDLE_TIMEOUT = "idle_timeout"
    WRITE_TIMEOUT = "write_timeout"
    HALF_CLOSE_TIMEOUT = "half_close_timeout"
    MAX_AGE = "max_age"
    DRAIN = "drain"
    TLS_ERROR = "tls_error"
    FAULT = "fault"
    WORKER_LOST = "worker_lost"


class CheckResult(StrEnum):
    """What became of a health check."""

    OK = "ok"
    FAILED = "failed"
    REFUSED = "refused"


class RejectReason(StrEnum):
    """Why a connection was rejected."""

    MAX_CONNECTIONS = "max_connections"
    PER_ADDRESS = "per_address"
    NOT_ALLOWED = "not_allowed"
    PROXY_PROTOCOL = "proxy_protocol"
    DRAINING = "draining"
    FAULT = "fault"
    SERVER_ERROR = "server_error"


def open_connections(row: Sequence[int]) -> int:
    """Return how many connections are open; derived, so that it always agrees with the counters."""
    return row[ACCEPTED_SLOT] - sum(row[CLOSED_SLOTS])


def unanswered_bytes(row: Sequence[int]) -> int:
    """Return how many bytes are neither sent nor unsent; each `extra` fault added one byte to what was received."""
    received = row[SCHEMA.slot(RECEIVED)] + row[SCHEMA.slot(FAULTS, Fault.EXTRA)]
    return received - row[SCHEMA.slot(SENT)] - row[SCHEMA.slot(UNSENT)]


def settle(row: "memoryview[int]") -> None:
    """Settle the row of a worker that died: its connections are lost, and its pending bytes unsent.

    Connections that were waiting for their PROXY header become accepted and lost. The chunk that the worker was
    answering is not counted.
    """
    row[ACCEPTED_SLOT] += max(0, row[SCHEMA.slot(OPEN)] - open_connections(row))
    row[SCHEMA.slot(OPEN)] = 0
    row[SCHEMA.slot(CLOSED, CloseReason.WORKER_LOST)] += open_connections(row)
    # By subtraction: it may have died after counting a byte as received and before counting it as sent.
    row[SCHEMA.slot(UNSENT)] += unanswered_bytes(row)
    row[SCHEMA.slot(WRITE_BUFFER)] = 0


SCHEMA = Schema("stentor-server")

OPEN = SCHEMA.internal(name="open", help="Open connections, for the limit that all workers share.")
# Rows are read in this order while workers write them. A connection is counted as accepted before it is counted as
# closed, so closed must be read first: otherwise more could seem closed than were accepted.
CLOSED = SCHEMA.counter(
    name="connections_closed_total", help="Closed connections, by reason.", label="reason", values=tuple(CloseReason)
)
ACCEPTED = SCHEMA.counter(
    name="connections_accepted_total",
    help="Accepted connections: always connections_active plus the sum of connections_closed_total.",
)
ACTIVE = SCHEMA.derived(name="connections_active", help="Open connections.", compute=open_connections)
WORKER_ACTIVE = SCHEMA.derived(
    name="worker_connections_active",
    help="Open connections, by worker.",
    label="worker",
    compute=open_connections,
    per_worker=True,
)
LIMIT = SCHEMA.gauge(
    name="connections_limit", help="Limit of open connections, across all workers (--max-connections)."
)
REJECTED = SCHEMA.counter(
    name="connections_rejected_total",
    help="Rejected connections, by reason; not counted as accepted.",
    label="reason",
    values=tuple(RejectReason),
)
ANSWERED = SCHEMA.internal(name="answered_bytes", help="Bytes that were read and sent at once, as most are.")
RECEIVED = SCHEMA.counter(name="received_bytes_total", help="Bytes read from peers.", plus=ANSWERED)
SENT = SCHEMA.counter(
    name="sent_bytes_total",
    help="Bytes handed to the kernel; excludes those still pending when their connection closed.",
    plus=ANSWERED,
)
UNSENT = SCHEMA.counter(
    name="unsent_bytes_total",
    help="Bytes received and never answered, because the connection closed or the server had closed its side.",
)
WRITE_BUFFER = SCHEMA.gauge(
    name="write_buffer_bytes",
    help="Bytes of answers waiting to be sent because the peer does not read, or because of --fault.",
)
READ_PAUSES = SCHEMA.counter(
    name="read_pauses_total", help="Times that reading from a peer paused because it did not read its answers."
)
DURATION = SCHEMA.histogram(
    name="connection_duration_seconds", help="How long connections were open.", bounds=AGE_BOUNDS
)
FAULTS = SCHEMA.counter(
    name="faults_injected_total",
    help="Faults injected because of --fault, by fault.",
    label="fault",
    values=tuple(Fault),
)
HEALTH_CHECKS = SCHEMA.counter(
    name="health_checks_total",
    help="Health checks of a worker, by result: ok if it was answered, refused if another user made it. No other "
    "metric counts them.",
    label="result",
    values=tuple(CheckResult),
)

RELOADS = SCHEMA.counter(
    name="reloads_total",
    help="Reloads because of SIGHUP, by result; one that failed goes on, and counts again when it succeeds.",
    label="result",
    values=tuple(ReloadResult),
)

ACCEPTED_SLOT = SCHEMA.slot(ACCEPTED)
CLOSED_SLOTS = SCHEMA.slots(CLOSED)

# What the live page shows.
VIEW = View(
    charts=(
        Chart("Connections open", (Line("open", ACTIVE),)),
        Chart("Connections per second", (Line("accepted", ACCEPTED), Line("rejected", REJECTED))),
        Chart("Bytes per second", (Line("received", RECEIVED), Line("sent", SENT))),
        Chart("Write buffer", (Line("waiting to be sent", WRITE_BUFFER),)),
    ),
    distribution=Distribution("Event loop lag", LOOP_LAG),
    tables=(
        Table(
            "Connections closed, by reason",
            CLOSED,
            (CloseReason.TLS_ERROR, CloseReason.FAULT, CloseReason.WORKER_LOST),
        ),
        Table("Connections rejected, by reason", REJECTED, tuple(RejectReason)),
        Table("Faults injected, by fault", FAULTS, tuple(Fault)),
        Table("Health checks, by result", HEALTH_CHECKS, (CheckResult.FAILED, CheckResult.REFUSED)),
    ),
)
