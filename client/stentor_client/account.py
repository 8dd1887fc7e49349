"""The counts of a client process, in the slots of its row."""

import time
from collections.abc import Mapping

from stentor_chassis.counters.histogram import NANOSECONDS, Histogram, Slots
from stentor_client import metrics
from stentor_client.metrics import SCHEMA
from stentor_client.verify.outcomes import Outcome, Phase

_SENT = SCHEMA.slot(metrics.SENT)
_RECEIVED = SCHEMA.slot(metrics.RECEIVED)
_OPENED = SCHEMA.slot(metrics.OPENED)
_ACTIVE = SCHEMA.slot(metrics.ACTIVE)
_LONG_IDLE = metrics.LONG_IDLE_SECONDS * NANOSECONDS


class Account:
    """Counts connections, bytes and exchanges; durations are in nanoseconds."""

    def __init__(self, row: Slots | None = None) -> None:
        """Count in `row`; without one, for a command that exports nothing."""
        self.row = [0] * SCHEMA.row_slots if row is None else row
        self._response_time = SCHEMA.observer(metrics.RESPONSE_TIME, self.row)
        self._service_time = SCHEMA.observer(metrics.SERVICE_TIME, self.row)
        self._age = SCHEMA.observer(metrics.AGE, self.row)
        self._phases: dict[Phase, Histogram] = {
            phase: SCHEMA.observer(metrics.PHASE_DURATION, self.row, phase) for phase in metrics.TIMED
        }

    def opened(self) -> None:
        """Count a connection that was made."""
        self.row[_OPENED] += 1
        self.row[_ACTIVE] += 1

    def closed(self, age: int) -> None:
        """Count a connection that has ended."""
        self.row[_ACTIVE] -= 1
        self._age.observe(age)

    def unused(self, age: int, lost_by: Outcome | None) -> None:
        """Count a connection that ended before it could be used, and was lost if there is an outcome."""
        self.opened()
        self.closed(age)
        if lost_by is not None:
            self.lost(lost_by)

    def lost(self, outcome: Outcome, idle: int = 0) -> None:
        """Count a connection that the peer or the network ended after being `idle` for so long."""
        self.row[SCHEMA.slot(metrics.LOST, outcome)] += 1
        if idle >= _LONG_IDLE:
            self.row[SCHEMA.slot(metrics.LOST_IDLE)] += 1

    def sent(self, nbytes: int) -> None:
        """Count bytes handed to the kernel."""
        self.row[_SENT] += nbytes

    def received(self, nbytes: int) -> None:
        """Count bytes read."""
        self.row[_RECEIVED] += nbytes

    def phases(self, durations: Mapping[Phase, int]) -> None:
        """Count parts of an exchange."""
        for phase, duration in durations.items():
            self._phases[phase].observe(duration)

    def kernel(self, rtt_microseconds: int, retransmits: int) -> None:
        """Count the kernel's statistics of a connection."""
        self.row[SCHEMA.slot(metrics.RTT)] = rtt_microseconds
        self.row[SCHEMA.slot(metrics.RETRANSMITS)] += retransmits

    def late(self, sends: int = 1) -> None:
        """Count sends that the schedule called for earlier."""
        self.row[SCHEMA.slot(metrics.LATE)] += sends

    def exchange(self, outcome: Outcome, *, up: bool | None = None) -> None:
        """Count an exchange that has ended; the target is `up`, or else if this exchange was ok."""
        self.row[SCHEMA.slot(metrics.EXCHANGES, outcome)] += 1
        self.row[SCHEMA.slot(metrics.UP)] = int(outcome is Outcome.OK if up is None else up)
        if outcome is Outcome.OK:
            self.row[SCHEMA.slot(metrics.LAST_SUCCESS)] = time.time_ns()

    def times(self, response: int, service: int) -> None:
        """Count how long a good exchange lasted."""
        self._response_time.observe(response)
        self._service_time.observe(service)

    @property
    def received_bytes(self) -> int:
        """The number of bytes read."""
        return self.row[_RECEIVED]

    @property
    def sent_bytes(self) -> int:
        """The number of bytes handed to the kernel."""
        return self.row[_SENT]
