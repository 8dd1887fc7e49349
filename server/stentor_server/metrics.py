"""Every metric of the server, declared once."""

from collections.abc import Sequence
from enum import StrEnum

from stentor_chassis.counters.histogram import AGE_BOUNDS
from stentor_chassis.counters.metrics import LOOP_LAG, Schema
from stentor_chassis.page.view import Chart, Distribution, Line, Table, View
from stentor_server.faults.fault import Fault


class CloseReason(StrEnum):
    """Why a connection ended."""

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


class RejectReason(StrEnum):
    """Why a connection was not taken."""

    MAX_CONNECTIONS = "max_connections"
    PER_ADDRESS = "per_address"
    NOT_ALLOWED = "not_allowed"
    PROXY_PROTOCOL = "proxy_protocol"
    DRAINING = "draining"
    FAULT = "fault"
    SERVER_ERROR = "server_error"


def open_connections(row: Sequence[int]) -> int:
    """Return how many connections are open by this row's account: derived, so that it always agrees."""
    return row[ACCEPTED_SLOT] - sum(row[CLOSED_SLOTS])


def settle(row: "memoryview[int]") -> None:
    """Book what a worker that has gone left open: its connections are lost, and so is what it still held.

    Those that were open and not accepted yet, for they waited for their PROXY header, are both at once.
    A chunk that it was answering as it went is in no count: it had not come to counting it.
    """
    row[ACCEPTED_SLOT] += max(0, row[SCHEMA.slot(OPEN)] - open_connections(row))
    row[SCHEMA.slot(OPEN)] = 0
    row[SCHEMA.slot(CLOSED, CloseReason.WORKER_LOST)] += open_connections(row)
    # By subtraction: it may have gone between counting a byte as received and as sent, or as unsent.
    added = row[SCHEMA.slot(FAULTS, Fault.EXTRA)]  # one byte each
    row[SCHEMA.slot(UNSENT)] = row[SCHEMA.slot(RECEIVED)] + added - row[SCHEMA.slot(SENT)]
    row[SCHEMA.slot(WRITE_BUFFER)] = 0


SCHEMA = Schema("stentor-server")

OPEN = SCHEMA.internal(name="open", help="Connections open now, for the limit that all workers share.")
# Rows are read in this order while workers write them. A connection is counted as accepted before it is counted as
# closed, so closed is read before accepted: read the other way round, more could seem closed than were accepted.
CLOSED = SCHEMA.counter(
    name="connections_closed_total",
    help="Connections that ended, by reason.",
    label="reason",
    values=tuple(CloseReason),
)
ACCEPTED = SCHEMA.counter(
    name="connections_accepted_total",
    help="Connections taken; always connections_active plus the sum of connections_closed_total.",
)
ACTIVE = SCHEMA.derived(name="connections_active", help="Connections open now.", compute=open_connections)
WORKER_ACTIVE = SCHEMA.derived(
    name="worker_connections_active",
    help="Connections open now, by worker.",
    label="worker",
    compute=open_connections,
    per_worker=True,
)
LIMIT = SCHEMA.gauge(
    name="connections_limit",
    help="Connections that may be open at once, over all workers (--max-connections); more are rejected.",
)
REJECTED = SCHEMA.counter(
    name="connections_rejected_total",
    help="Connections not taken, by reason; they are not among the accepted.",
    label="reason",
    values=tuple(RejectReason),
)
ANSWERED = SCHEMA.internal(
    name="answered_bytes", help="Bytes that were read and handed to the kernel in one go: most are."
)
RECEIVED = SCHEMA.counter(name="received_bytes_total", help="Bytes read from peers.", plus=ANSWERED)
SENT = SCHEMA.counter(
    name="sent_bytes_total",
    help="Bytes handed to the kernel; what still waited when its connection was lost is not among them.",
    plus=ANSWERED,
)
UNSENT = SCHEMA.counter(
    name="unsent_bytes_total",
    help="Bytes received and never answered: the connection was lost, or the server had ended its side, before that.",
)
WRITE_BUFFER = SCHEMA.gauge(
    name="write_buffer_bytes",
    help="Bytes of answers that wait to be sent: the peer does not read, or --fault holds them back.",
)
READ_PAUSES = SCHEMA.counter(
    name="read_pauses_total", help="Times reading from a peer paused because it does not read."
)
DURATION = SCHEMA.histogram(
    name="connection_duration_seconds",
    help="How long connections lasted.",
    bounds=AGE_BOUNDS,
)
FAULTS = SCHEMA.counter(
    name="faults_injected_total",
    help="What the server did wrong because --fault asks for it, by fault.",
    label="fault",
    values=tuple(Fault),
)
# What health checks tell the control process, so that they can be taken off the counts above.
HEALTH_CHECKS = SCHEMA.counter(
    name="health_checks_total", help="Health checks that made their exchange: each is one connection among the above."
)
HEALTH_CHECK_RECEIVED = SCHEMA.counter(
    name="health_check_received_bytes_total", help="Of received_bytes_total, what came from these health checks."
)
HEALTH_CHECK_SENT = SCHEMA.counter(
    name="health_check_sent_bytes_total", help="Of sent_bytes_total, what went to these health checks."
)
HEALTH_CHECKS_UNFINISHED = SCHEMA.gauge(
    name="health_checks_unfinished",
    help="Health checks that began and have not told of their exchange: under way, failed, or killed. Each may be one "
    "connection, and 2 bytes each way, among the above.",
)
ACCEPTED_SLOT = SCHEMA.slot(ACCEPTED)
CLOSED_SLOTS = SCHEMA.slots(CLOSED)

# What the live page shows.
VIEW = View(
    charts=(
        Chart("Connections open", (Line("open", ACTIVE),)),
        Chart(
            "Connections per second",
            (Line("accepted", ACCEPTED), Line("rejected", REJECTED), Line("health checks", HEALTH_CHECKS)),
        ),
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
    ),
)
