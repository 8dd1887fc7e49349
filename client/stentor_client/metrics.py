"""Every metric of the client, declared once."""

from stentor_chassis.counters.histogram import AGE_BOUNDS, NANOSECONDS
from stentor_chassis.counters.metrics import Counter, Gauge, Histogram, Schema
from stentor_chassis.page.view import Chart, Distribution, Line, Table, View
from stentor_client.verify.outcomes import Outcome, Phase

LONG_IDLE_SECONDS = 30  # firewalls and balancers mostly wait longer before they forget a connection
FAILURES = tuple(outcome for outcome in Outcome if outcome is not Outcome.OK)
TIMED = (Phase.RESOLVE, Phase.CONNECT, Phase.TLS, Phase.FIRST_BYTE)

EXCHANGES = Counter(
    name="exchanges_total", help="Exchanges that ended, by outcome.", label="outcome", values=tuple(Outcome)
)
RESPONSE_TIME = Histogram(
    name="response_time_seconds",
    help="From the moment the schedule called for the send to the last byte of a right reply.",
)
SERVICE_TIME = Histogram(
    name="service_time_seconds",
    help="From the actual send to the last byte of a right reply; a slow server delays the send and so hides in it.",
)
PHASE_DURATION = Histogram(
    name="phase_duration_seconds",
    help="Parts of an exchange: resolve, connect, tls, and first_byte from the send to the first byte of the reply.",
    label="phase",
    values=TIMED,
)
OPENED = Counter(name="connections_opened_total", help="Connections made.")
ACTIVE = Gauge(name="connections_active", help="Connections open now.")
LOST = Counter(
    name="connections_lost_total",
    help="Connections that ended before this side wanted it, by the outcome that ended them.",
    label="outcome",
    values=(Outcome.TLS, Outcome.TIMEOUT, Outcome.RESET, Outcome.EOF, Outcome.SHORT, Outcome.EXTRA, Outcome.MISMATCH),
)
LOST_IDLE = Counter(
    name="connections_lost_idle_total",
    help=f"Of connections_lost_total, those on which nothing had moved for {LONG_IDLE_SECONDS} s or more up to their "
    "end, or up to the message that was not answered.",
)
AGE = Histogram(
    name="connection_age_seconds",
    help="How old connections were when they ended.",
    bounds=AGE_BOUNDS,
)
SENT = Counter(name="sent_bytes_total", help="Bytes handed to the kernel, or over TLS to what encrypts them.")
RECEIVED = Counter(name="received_bytes_total", help="Bytes of replies read.")
LATE = Counter(
    name="late_sends_total",
    help="Scheduled sends that began over 1 ms late, and those left out because the one before was not over.",
)
RTT = Gauge(
    name="tcp_rtt_seconds",
    help="Round trip time that the kernel reckons with, of the connection looked at last; 0 before the first.",
    across="max",
    scale=1 / 1_000_000,
)
RETRANSMITS = Counter(name="tcp_retransmits_total", help="Segments that the kernel of this side sent again.")
UP = Gauge(name="target_up", help="1 if the last exchange, with each address that is probed, was ok; else 0.")
LAST_SUCCESS = Gauge(
    name="last_success_timestamp_seconds",
    help="When the last exchange that was ok ended, in Unix time; 0 before the first.",
    across="peak",
    scale=1 / NANOSECONDS,
)

METRICS = (
    EXCHANGES,
    RESPONSE_TIME,
    SERVICE_TIME,
    PHASE_DURATION,
    OPENED,
    ACTIVE,
    LOST,
    LOST_IDLE,
    AGE,
    SENT,
    RECEIVED,
    LATE,
    RTT,
    RETRANSMITS,
    UP,
    LAST_SUCCESS,
)

SCHEMA = Schema("stentor-client", METRICS)

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
