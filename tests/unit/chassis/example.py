"""A small service's schema, with one metric of each kind."""

from collections.abc import Callable, Sequence

from stentor_chassis.counters.metrics import ReloadResult, Schema
from stentor_chassis.counters.shared_counters import SharedCounters

NewCounters = Callable[[Schema, int], SharedCounters]  # the fixture `new_counters`


def _open(row: Sequence[int]) -> int:
    return row[SCHEMA.slot(TAKEN)] - sum(row[SCHEMA.slots(ENDED)])


SCHEMA = Schema("an-example")

ENDED = SCHEMA.counter(name="ended_total", help="Things that ended.", label="reason", values=("worn", "lost"))
TAKEN = SCHEMA.counter(name="taken_total", help="Things taken.")
PASSED_ON = SCHEMA.internal(name="passed_on", help="Words that were heard and said in one breath.")
HEARD = SCHEMA.counter(name="heard_total", help="Words heard.", plus=PASSED_ON)
SAID = SCHEMA.counter(name="said_total", help="Words said.", plus=PASSED_ON)
OPEN = SCHEMA.derived(name="open", help="Things open now.", compute=_open)
WORKER_OPEN = SCHEMA.derived(
    name="worker_open", help="Things open now, by worker.", label="worker", compute=_open, per_worker=True
)
WAITING = SCHEMA.gauge(name="waiting", help="Things that wait.")
NEWEST = SCHEMA.gauge(name="newest_seconds", help="The newest thing.", across="peak", scale=0.5)
FURTHEST = SCHEMA.gauge(name="furthest", help="How far the furthest is now.", across="max")
SPAN = SCHEMA.histogram(name="span_seconds", help="How long.", bounds=(1_000_000, 2_000_000_000))
PHASES = SCHEMA.histogram(name="phase_seconds", help="Parts.", label="phase", values=("first", "last"), bounds=(5, 50))

RELOADED = SCHEMA.counter(name="reloads_total", help="Reloads.", label="result", values=tuple(ReloadResult))
TOLD = SCHEMA.internal(name="told", help="What workers tell each other.")
