"""What a load counts, in finer grain than what is exported for ever."""

from stentor_chassis.counters.metrics import Counter, Gauge, Histogram, Schema
from stentor_client.metrics import METRICS, TIMED
from stentor_client.verify.outcomes import Outcome


def _bounds() -> tuple[int, ...]:
    """Return bounds of 1 % each from 1 µs to a quarter of an hour: a percentile is then known to half a per cent."""
    bounds = [1000]
    while bounds[-1] < 900 * 10**9:
        bounds.append(round(bounds[-1] * 1.01))
    return tuple(bounds)


FINE = _bounds()

MEASURED = Counter(
    name="measured_total",
    help="Exchanges that were due after the warm-up, by outcome.",
    label="outcome",
    values=tuple(Outcome),
)
RESPONSE_TIME = Histogram(name="fine_response_time", help="From when it was due, right replies only.", bounds=FINE)
SERVICE_TIME = Histogram(name="fine_service_time", help="From the actual send, right replies only.", bounds=FINE)
PHASES = Histogram(name="fine_phase", help="Parts of an exchange.", label="phase", values=TIMED, bounds=FINE)
RESPONSE_MOST = Gauge(name="response_most", help="The longest response time.", across="peak")
SERVICE_MOST = Gauge(name="service_most", help="The longest service time.", across="peak")
REPLIES = Counter(name="replies_total", help="Right replies that came in the measured time.")
REPLY_BYTES = Counter(name="reply_bytes_total", help="Bytes of these replies.")
DUE = Counter(name="due_total", help="Exchanges that were due after the warm-up.")
LATE_MOST = Gauge(name="late_most", help="How late the latest send was, by the generator's own fault.", across="peak")
PROCESSOR = Gauge(name="processor", help="Nanoseconds of processor time since the warm-up.", across="peak")

# What is exported comes first: so an `Account` counts in a row of this as well.
SCHEMA = Schema(
    "stentor-load",
    [
        *METRICS,
        MEASURED,
        RESPONSE_TIME,
        SERVICE_TIME,
        PHASES,
        RESPONSE_MOST,
        SERVICE_MOST,
        REPLIES,
        REPLY_BYTES,
        DUE,
        LATE_MOST,
        PROCESSOR,
    ],
)
