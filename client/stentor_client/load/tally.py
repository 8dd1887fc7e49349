"""The counts of one worker of a load."""

import sys
import time
from bisect import bisect_left
from collections.abc import Mapping

from stentor_chassis.counters.histogram import Slots
from stentor_client.account import Account
from stentor_client.load import metrics
from stentor_client.load.metrics import FINE, SCHEMA
from stentor_client.metrics import ACTIVE, TIMED
from stentor_client.timing.schedule import LATE_NANOSECONDS
from stentor_client.verify.outcomes import Outcome, Phase

_DUE = SCHEMA.slot(metrics.DUE)
_LATE_MOST = SCHEMA.slot(metrics.LATE_MOST)
_MEASURED_OK = SCHEMA.slot(metrics.MEASURED, Outcome.OK)
_REPLIES = SCHEMA.slot(metrics.REPLIES)
_REPLY_BYTES = SCHEMA.slot(metrics.REPLY_BYTES)
# The hot path counts in the slots of the histograms itself: a call for each would cost more.
_RESPONSE = SCHEMA.slot(metrics.RESPONSE_TIME)
_SERVICE = SCHEMA.slot(metrics.SERVICE_TIME)
_FIRST_BYTE = SCHEMA.slot(metrics.PHASES, Phase.FIRST_BYTE)
_RESPONSE_SUM, _SERVICE_SUM, _FIRST_BYTE_SUM = (first + len(FINE) + 1 for first in (_RESPONSE, _SERVICE, _FIRST_BYTE))
_RESPONSE_MOST = SCHEMA.slot(metrics.RESPONSE_MOST)
_SERVICE_MOST = SCHEMA.slot(metrics.SERVICE_MOST)
_ACTIVE = SCHEMA.slot(ACTIVE)
_OPEN_TIME = SCHEMA.slot(metrics.OPEN_TIME)
_OPEN_MOST = SCHEMA.slot(metrics.OPEN_MOST)
_AT = SCHEMA.slots(metrics.AT).start
_AT_OK = _AT + metrics.AT_OK
_AT_WIDTH = len(metrics.AT_EACH)


class Tally(Account):
    """An account that also counts the exchanges that were due after the warm-up."""

    def __init__(self, row: Slots) -> None:
        """Count in `row`."""
        super().__init__(row)
        self.measured_from = sys.maxsize  # exchanges due before this moment are the warm-up
        self.measured_until = sys.maxsize  # replies after this moment are not throughput
        self._response_most = 0
        self._service_most = 0
        self._fine_phases = {phase: SCHEMA.observer(metrics.PHASES, row, phase) for phase in TIMED}

    def opened(self) -> None:
        """Count a connection that was made, and those open at once."""
        super().opened()
        self.row[_OPEN_MOST] = max(self.row[_OPEN_MOST], self.row[_ACTIVE])

    def begin(self) -> None:
        """Begin to measure: the most connections open at once are those from now on."""
        self.row[_OPEN_MOST] = self.row[_ACTIVE]

    def closed(self, age: int) -> None:
        """Count a connection that has ended, and how long it was open in the measured time."""
        super().closed(age)
        now = time.perf_counter_ns()
        self.row[_OPEN_TIME] += max(0, min(now, self.measured_until) - max(now - age, self.measured_from))

    def due(self, moment: int, now: int) -> None:
        """Count an exchange that is due, and how late the generator sends it."""
        if moment < self.measured_from:
            return
        self.row[_DUE] += 1
        late = now - moment
        if late > LATE_NANOSECONDS:
            self.late()
            self.row[_LATE_MOST] = max(self.row[_LATE_MOST], late)

    def good(self, due: int, sent: int, first_byte: int, answered: int, nbytes: int, place: int = 0) -> None:
        """Count an exchange with the right reply; the hot path. `place` is that of the address.

        `first_byte` is 0 if it is unknown which reply it belonged to. All are nanoseconds of `perf_counter_ns`.
        """
        row, response, service = self.row, answered - due, answered - sent
        if self.measured_from <= answered < self.measured_until:
            row[_REPLIES] += 1
            row[_REPLY_BYTES] += nbytes
        if due < self.measured_from:
            return
        row[_MEASURED_OK] += 1
        row[_AT_OK + _AT_WIDTH * place] += 1
        bucket = bisect_left(FINE, service)
        row[_SERVICE + bucket] += 1
        row[_SERVICE_SUM] += service
        if service > self._service_most:
            row[_SERVICE_MOST] = self._service_most = service
        if first_byte:
            waited = first_byte - sent
            row[_FIRST_BYTE + (bucket if waited == service else bisect_left(FINE, waited))] += 1
            row[_FIRST_BYTE_SUM] += waited
        row[_RESPONSE + (bucket if response == service else bisect_left(FINE, response))] += 1
        row[_RESPONSE_SUM] += response
        if response > self._response_most:
            row[_RESPONSE_MOST] = self._response_most = response

    def failed(self, due: int, outcome: Outcome, place: int | None = None) -> None:
        """Count an exchange without the right reply, over a connection to the address at `place` if there was one."""
        if due >= self.measured_from:
            self.row[SCHEMA.slot(metrics.MEASURED, outcome)] += 1
            if place is not None:
                self.at(place, metrics.AT_FAILED)

    def at(self, place: int, what: int) -> None:
        """Count one of `AT_EACH` for an address."""
        self.row[_AT + _AT_WIDTH * place + what] += 1

    def phases(self, durations: Mapping[Phase, int]) -> None:
        """Count the phases of connecting."""
        for phase, duration in durations.items():
            self._fine_phases[phase].observe(duration)
