"""Every metric of the client, declared once."""

from stentor_chassis.counters.histogram import AGE_BOUNDS, NANOSECONDS
from stentor_chassis.counters.metrics import Counter, Gauge, Histogram, Schema
from stentor_chassis.page.view import Chart, Distribution, Line, Table, View
from stentor_client.verify.outcomes import Outcome, Phase

LONG_IDLE_SECONDS = 30  # most firewalls and load balancers wait longer before they drop an idle connection
FAILURES = tuple(outcome for outcome in Outcome if outcome is not Outcome.OK)
TIMED = (Phase.RESOLVE, Phase.CONNECT, Phase.TLS, Phase.FIRST_BYTE)

EXCHANGES = Counter(name="exchanges_total", help="Exchanges, by outcome.", label="outcome", values=tuple(Outcome))
RESPONSE_TIME = Histogram(
    name="response_time_seconds",
    help="From the scheduled send to the last byte of a correct reply.",
)
SERVICE_TIME = Histogram(
    name="service_time_seconds",
    help="From the actual send to the last byte of a correct reply; omits how long a slow server delayed the send.",
)
PHASE_DURATION = Histogram(
    name="phase_duration_seconds",
    help="Parts of an exchange: resolve, connect, tls, and first_byte from the send to the first byte of the reply.",
    label="phase",
    values=TIMED,
)
OPENED = Counter(name="connections_opened_total", help="Connections opened.")
ACTIVE = Gauge(name="connections_active", help="Open connections.")
LOST = Counter(
    name="connections_lost_total",
    help="Connections that ended before this side closed them, or were given up, by outcome.",
    label="outcome",
    values=(Outcome.TLS, Outcome.TIMEOUT, Outcome.RESET, Outcome.EOF, Outcome.SHORT, Outcome.EXTRA, Outcome.MISMATCH),
)
LOST_IDLE = Counter(
    name="connections_lost_idle_total",
    help=f"Of connections_lost_total, those that had been idle for {LONG_IDLE_SECONDS} s or more before they ended, or "
    "before the message that was not answered.",
)
AGE = Histogram(
    name="connection_age_seconds",
    help="Age of connections when they ended.",
    bounds=AGE_BOUNDS,
)
SENT = Counter(name="sent_bytes_total", help="Bytes handed to the kernel, or with TLS to the encryption.")
RECEIVED = Counter(name="received_bytes_total", help="Bytes of replies read.")
LATE = Counter(
    name="late_sends_total",
    help="Scheduled sends that began over 1 ms late, or were skipped because the previous exchange was not over.",
)
RTT = Gauge(
    name="tcp_rtt_seconds",
    help="The kernel's estimate of the round trip time, of the connection sampled last; 0 before the first.",
    across="max",
    scale=1 / 1_000_000,
)
RETRANSMITS = Counter(name="tcp_retransmits_total", help="TCP segments that this side's kernel retransmitted.")
UP = Gauge(name="target_up", help="1 if the last exchange with every probed address was ok; else 0.")
LAST_SUCCESS = Gauge(
    name="last_success_timestamp_seconds",
    help="Unix time of the last exchange that was ok; 0 before the first.",
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
