"""The counts of one worker of a load."""

import sys
from bisect import bisect_left
from collections.abc import Mapping

from stentor_chassis.counters.histogram import Slots
from stentor_client.account import Account
from stentor_client.load import metrics
from stentor_client.load.metrics import FINE, SCHEMA
from stentor_client.metrics import TIMED
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

    def due(self, moment: int, now: int) -> None:
        """Count an exchange that is due, and how late the generator sends it."""
        if moment < self.measured_from:
            return
        self.row[_DUE] += 1
        late = now - moment
        if late > LATE_NANOSECONDS:
            self.late()
            self.row[_LATE_MOST] = max(self.row[_LATE_MOST], late)

    def good(self, due: int, sent: int, first_byte: int, answered: int, nbytes: int) -> None:
        """Count an exchange with the right reply; the hot path.

        `first_byte` is 0 if it is unknown which reply it belonged to. All are nanoseconds of `perf_counter_ns`.
        """
        row, response, service = self.row, answered - due, answered - sent
        if self.measured_from <= answered < self.measured_until:
            row[_REPLIES] += 1
            row[_REPLY_BYTES] += nbytes
        if due < self.measured_from:
            return
        row[_MEASURED_OK] += 1
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

    def failed(self, due: int, outcome: Outcome) -> None:
        """Count an exchange without the right reply."""
        if due >= self.measured_from:
            self.row[SCHEMA.slot(metrics.MEASURED, outcome)] += 1

    def phases(self, durations: Mapping[Phase, int]) -> None:
        """Count the phases of connecting."""
        for phase, duration in durations.items():
            self._fine_phases[phase].observe(duration)
