"""A small service's schema, with one metric of each kind."""

from collections.abc import Sequence

from stentor_chassis.counters.metrics import Counter, Derived, Gauge, Histogram, Internal, Schema


def _open(row: Sequence[int]) -> int:
    return row[SCHEMA.slot(TAKEN)] - sum(row[SCHEMA.slots(ENDED)])


ENDED = Counter(name="ended_total", help="Things that ended.", label="reason", values=("worn", "lost"))
TAKEN = Counter(name="taken_total", help="Things taken.")
PASSED_ON = Internal(name="passed_on", help="Words that were heard and said in one breath.")
HEARD = Counter(name="heard_total", help="Words heard.", plus=PASSED_ON)
SAID = Counter(name="said_total", help="Words said.", plus=PASSED_ON)
OPEN = Derived(name="open", help="Things open now.", compute=_open)
WORKER_OPEN = Derived(
    name="worker_open", help="Things open now, by worker.", label="worker", compute=_open, per_worker=True
)
WAITING = Gauge(name="waiting", help="Things that wait.")
NEWEST = Gauge(name="newest_seconds", help="The newest thing.", across="peak", scale=0.5)
FURTHEST = Gauge(name="furthest", help="How far the furthest is now.", across="max")
SPAN = Histogram(name="span_seconds", help="How long.", bounds=(1_000_000, 2_000_000_000))
PHASES = Histogram(name="phase_seconds", help="Parts.", label="phase", values=("first", "last"), bounds=(5, 50))

TOLD = Internal(name="told", help="What workers tell each other.")

SCHEMA = Schema(
    "an-example",
    [TOLD, ENDED, TAKEN, PASSED_ON, HEARD, SAID, OPEN, WORKER_OPEN, WAITING, NEWEST, FURTHEST, SPAN, PHASES],
)
