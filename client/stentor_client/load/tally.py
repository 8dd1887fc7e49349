"""What one worker of a load counts."""

import sys
from collections.abc import Mapping

from stentor_chassis.histogram import Slots
from stentor_client.account import Account
from stentor_client.load.metrics import (
    DUE,
    LATE_MOST,
    MEASURED,
    MEASURED_SENT,
    PHASES,
    RESPONSE_MOST,
    RESPONSE_TIME,
    SCHEMA,
    SERVICE_MOST,
    SERVICE_TIME,
)
from stentor_client.metrics import TIMED
from stentor_client.outcomes import Outcome, Phase

LATE_NANOSECONDS = 1_000_000

_DUE = SCHEMA.slot(DUE)
_LATE_MOST = SCHEMA.slot(LATE_MOST)
_MEASURED_OK = SCHEMA.slot(MEASURED, Outcome.OK)
_MEASURED_SENT = SCHEMA.slot(MEASURED_SENT)
_RESPONSE_MOST = SCHEMA.slot(RESPONSE_MOST)
_SERVICE_MOST = SCHEMA.slot(SERVICE_MOST)


class Tally(Account):
    """An account that also has the figures of the exchanges that were due after the warm-up."""

    def __init__(self, row: Slots) -> None:
        """Count in `row`."""
        super().__init__(row)
        self.measured_from = sys.maxsize  # what is due before this moment warms up only
        self._fine_response = SCHEMA.histogram(RESPONSE_TIME, row)
        self._fine_service = SCHEMA.histogram(SERVICE_TIME, row)
        self._fine_phases = {phase: SCHEMA.histogram(PHASES, row, phase) for phase in TIMED}

    def due(self, moment: int, now: int) -> None:
        """Count an arrival, and how late the generator came to it."""
        if moment < self.measured_from:
            return
        self.row[_DUE] += 1
        late = now - moment
        if late > LATE_NANOSECONDS:
            self.late()
            self.row[_LATE_MOST] = max(self.row[_LATE_MOST], late)

    def good(self, due: int, sent: int, first_byte: int, answered: int, nbytes: int) -> None:
        """Count an exchange with the right reply; `first_byte` is 0 where nobody knows which byte was whose."""
        row = self.row
        self.exchange(Outcome.OK)
        if due < self.measured_from:
            return
        row[_MEASURED_OK] += 1
        row[_MEASURED_SENT] += nbytes
        response, service = answered - due, answered - sent
        self._fine_response.observe(response)
        self._fine_service.observe(service)
        if first_byte:
            self._fine_phases[Phase.FIRST_BYTE].observe(first_byte - sent)
        row[_RESPONSE_MOST] = max(row[_RESPONSE_MOST], response)
        row[_SERVICE_MOST] = max(row[_SERVICE_MOST], service)

    def failed(self, due: int, outcome: Outcome) -> None:
        """Count an exchange without one."""
        self.exchange(outcome)
        if due >= self.measured_from:
            self.row[SCHEMA.slot(MEASURED, outcome)] += 1

    def way(self, durations: Mapping[Phase, int]) -> None:
        """Count the phases of the way to a connection."""
        for phase, duration in durations.items():
            self._fine_phases[phase].observe(duration)
