"""Every metric of the client, declared once."""

from stentor_chassis.counters.histogram import AGE_BOUNDS, NANOSECONDS
from stentor_chassis.counters.metrics import Schema
from stentor_chassis.page.view import Chart, Distribution, Line, Table, View
from stentor_client.verify.outcomes import Outcome, Phase

LONG_IDLE_SECONDS = 30  # most firewalls and load balancers wait longer before they drop an idle connection
FAILURES = tuple(outcome for outcome in Outcome if outcome is not Outcome.OK)
TIMED = (Phase.RESOLVE, Phase.CONNECT, Phase.TLS, Phase.FIRST_BYTE)

SCHEMA = Schema("stentor-client")

EXCHANGES = SCHEMA.counter(
    name="exchanges_total", help="Exchanges, by outcome.", label="outcome", values=tuple(Outcome)
)
RESPONSE_TIME = SCHEMA.histogram(
    name="response_time_seconds",
    help="From the scheduled send to the last byte of a correct reply.",
)
SERVICE_TIME = SCHEMA.histogram(
    name="service_time_seconds",
    help="From the actual send to the last byte of a correct reply; omits how long a slow server delayed the send.",
)
PHASE_DURATION = SCHEMA.histogram(
    name="phase_duration_seconds",
    help="Parts of an exchange: resolve, connect, tls, and first_byte from the send to the first byte of the reply.",
    label="phase",
    values=TIMED,
)
OPENED = SCHEMA.counter(name="connections_opened_total", help="Connections opened.")
ACTIVE = SCHEMA.gauge(name="connections_active", help="Open connections.")
LOST = SCHEMA.counter(
    name="connections_lost_total",
    help="Connections that ended before this side closed them, or were given up, by outcome.",
    label="outcome",
    values=(Outcome.TLS, Outcome.TIMEOUT, Outcome.RESET, Outcome.EOF, Outcome.SHORT, Outcome.EXTRA, Outcome.MISMATCH),
)
LOST_IDLE = SCHEMA.counter(
    name="connections_lost_idle_total",
    help=f"Of connections_lost_total, those that had been idle for {LONG_IDLE_SECONDS} s or more before they ended, or "
    "before the message that was not answered.",
)
AGE = SCHEMA.histogram(
    name="connection_age_seconds",
    help="Age of connections when they ended.",
    bounds=AGE_BOUNDS,
)
SENT = SCHEMA.counter(name="sent_bytes_total", help="Bytes handed to the kernel, or with TLS to the encryption.")
RECEIVED = SCHEMA.counter(name="received_bytes_total", help="Bytes of replies read.")
LATE = SCHEMA.counter(
    name="late_sends_total",
    help="Scheduled sends that began over 1 ms late, or were skipped because the previous exchange was not over.",
)
RTT = SCHEMA.gauge(
    name="tcp_rtt_seconds",
    help="The kernel's estimate of the round trip time, of the connection sampled last; 0 before the first.",
    across="max",
    scale=1 / 1_000_000,
)
RETRANSMITS = SCHEMA.counter(name="tcp_retransmits_total", help="TCP segments that this side's kernel retransmitted.")
UP = SCHEMA.gauge(name="target_up", help="1 if the last exchange with every probed address was ok; else 0.")
LAST_SUCCESS = SCHEMA.gauge(
    name="last_success_timestamp_seconds",
    help="Unix time of the last exchange that was ok; 0 before the first.",
    across="peak",
    scale=1 / NANOSECONDS,
)

# What the live page shows.
VIEW = View(
    charts=(
        Chart("Exchanges per second", (Line("ok", EXCHANGES, (Outcome.OK,)), Line("failed", EXCHANGES, FAILURES))),
        Chart("Bytes per second", (Line("sent", SENT), Line("received", RECEIVED))),
        Chart("Connections open", (Line("open", ACTIVE),)),
        Chart("Connections per second", (Line("opened", OPENED), Line("lost", LOST))),
    ),
    distribution=Distribution("Response time", RESPONSE_TIME),
    tables=(
        Table("Exchanges, by outcome", EXCHANGES, FAILURES),
        Table("Connections lost, by outcome", LOST, LOST.values),
    ),
)
