"""The metrics of a load, finer than the exported ones."""

from stentor_chassis.counters.metrics import Schema
from stentor_client.metrics import SCHEMA as EXPORTED
from stentor_client.metrics import TIMED
from stentor_client.verify.outcomes import Outcome, Shortage


def _bounds() -> tuple[int, ...]:
    """Return bounds of 1 % each from 1 µs to a quarter of an hour: a percentile is then known to half a per cent."""
    bounds = [1000]
    while bounds[-1] < 900 * 10**9:
        bounds.append(round(bounds[-1] * 1.01))
    return tuple(bounds)


FINE = _bounds()

# It begins with the exported metrics, in the same slots, so that an `Account` can count in a row of this as well.
SCHEMA = Schema("stentor-load", EXPORTED)

MEASURED = SCHEMA.counter(
    name="measured_total",
    help="Exchanges that were due after the warm-up, by outcome.",
    label="outcome",
    values=tuple(Outcome),
)
RESPONSE_TIME = SCHEMA.histogram(
    name="fine_response_time", help="From when it was due, right replies only.", bounds=FINE
)
SERVICE_TIME = SCHEMA.histogram(name="fine_service_time", help="From the actual send, right replies only.", bounds=FINE)
PHASES = SCHEMA.histogram(name="fine_phase", help="Parts of an exchange.", label="phase", values=TIMED, bounds=FINE)
RESPONSE_MOST = SCHEMA.gauge(name="response_most", help="The longest response time.", across="peak")
SERVICE_MOST = SCHEMA.gauge(name="service_most", help="The longest service time.", across="peak")
REPLIES = SCHEMA.counter(name="replies_total", help="Right replies that arrived in the measured time.")
REPLY_BYTES = SCHEMA.counter(name="reply_bytes_total", help="Bytes of these replies.")
DUE = SCHEMA.counter(name="due_total", help="Exchanges that were due after the warm-up.")
LATE_MOST = SCHEMA.gauge(name="late_most", help="How late the generator began its latest send.", across="peak")
SHORTAGES = SCHEMA.counter(
    name="shortages_total",
    help="Connections that could not be made because this machine ran out of something.",
    label="resource",
    values=tuple(Shortage),
)
OPEN_TIME = SCHEMA.counter(name="open_time", help="Nanoseconds that connections were open in the measured time.")
OPEN_MOST = SCHEMA.gauge(name="open_most", help="The most connections open at once in the measured time.")
# Counts by address of the target: its place among those that the name resolved to before the load began, or the last.
MOST_ADDRESSES = 64
AT_OPENED, AT_MISSED, AT_OK, AT_FAILED = AT_EACH = range(4)  # connections, failed attempts, right and failed exchanges
AT = SCHEMA.counter(
    name="at_total",
    help="Counts by address.",
    label="count",
    values=tuple(f"{place}.{what}" for place in range(MOST_ADDRESSES + 1) for what in AT_EACH),
)
PROCESSOR = SCHEMA.gauge(name="processor", help="Nanoseconds of processor time since the warm-up.", across="peak")
