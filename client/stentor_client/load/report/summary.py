"""What came of a load."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from stentor_chassis.counters.histogram import NANOSECONDS
from stentor_chassis.counters.metrics import Gauge, Histogram
from stentor_client import __version__
from stentor_client.load.metrics import (
    DUE,
    LATE_MOST,
    MEASURED,
    PHASES,
    PROCESSOR,
    REPLIES,
    REPLY_BYTES,
    RESPONSE_MOST,
    RESPONSE_TIME,
    SCHEMA,
    SERVICE_MOST,
    SERVICE_TIME,
)
from stentor_client.load.options import LoadOptions
from stentor_client.load.report.distribution import PERCENTILES, Distribution
from stentor_client.load.report.series import Slice
from stentor_client.load.report.thresholds import ThresholdResult
from stentor_client.metrics import LATE, LOST, OPENED, RECEIVED, SENT, TIMED
from stentor_client.verify.outcomes import Outcome, Phase

JSON_SCHEMA = "stentor-load/1"
LATE_SHARE = 0.001  # of the sends: above it the generator is the limit, and not the server
BUSY_SHARE = 0.9  # of a processor, for the busiest worker
WHOLE = 0.999  # of the duration: what is shorter was interrupted
FOLLOWS = 0.95  # throughput that is at least this much of what was due follows it


@dataclass(frozen=True)
class Summary:
    """All figures of one load; those of exchanges are of the exchanges that were due after the warm-up."""

    options: LoadOptions
    started_at: str  # UTC, ISO 8601
    measured_seconds: float
    totals: Sequence[int]
    slices: Sequence[Slice]

    def _count(self, metric: Any, value: str = "") -> int:
        return self.totals[SCHEMA.slot(metric, value)]

    def _distribution(self, metric: Histogram, value: str = "", most: Gauge | None = None) -> Distribution:
        first = SCHEMA.slot(metric, value)
        return Distribution.of(self.totals[first : first + metric.width], self._count(most) if most else None)

    @property
    def outcomes(self) -> dict[Outcome, int]:
        """How many exchanges ended how, without the outcomes that did not occur."""
        counts = {outcome: self._count(MEASURED, outcome) for outcome in Outcome}
        return {outcome: count for outcome, count in counts.items() if count}

    @property
    def exchanges(self) -> int:
        """How many exchanges ended."""
        return sum(self.outcomes.values())

    @property
    def good(self) -> int:
        """How many of them with the right reply."""
        return self.outcomes.get(Outcome.OK, 0)

    @property
    def error_rate(self) -> float:
        """The part of them, from 0 to 1, without the right reply."""
        return (self.exchanges - self.good) / self.exchanges if self.exchanges else 1.0

    @property
    def throughput(self) -> float:
        """Right replies per second of the measured time; those that came after it do not count."""
        return self._count(REPLIES) / self.measured_seconds if self.measured_seconds else 0.0

    @property
    def bytes_per_second(self) -> float:
        """Bytes of these replies per second; the messages had as many."""
        return self._count(REPLY_BYTES) / self.measured_seconds if self.measured_seconds else 0.0

    @property
    def response_time(self) -> Distribution:
        """From the moment the schedule called for the send."""
        return self._distribution(RESPONSE_TIME, most=RESPONSE_MOST)

    @property
    def service_time(self) -> Distribution:
        """From the actual send."""
        return self._distribution(SERVICE_TIME, most=SERVICE_MOST)

    @property
    def phases(self) -> dict[Phase, Distribution]:
        """Parts of the exchanges, without those that did not occur."""
        found = {phase: self._distribution(PHASES, phase) for phase in TIMED}
        return {phase: each for phase, each in found.items() if each.count}

    @property
    def due(self) -> int:
        """How many exchanges the schedule called for."""
        return self._count(DUE)

    @property
    def opened(self) -> int:
        """How many connections were made, those for the warm-up included."""
        return self._count(OPENED)

    @property
    def lost(self) -> dict[str, int]:
        """How many of them ended before this side wanted it, by outcome, without those that did not occur."""
        counts = {outcome: self._count(LOST, outcome) for outcome in LOST.values}
        return {outcome: count for outcome, count in counts.items() if count}

    @property
    def late(self) -> int:
        """How many sends the generator itself began over 1 ms late."""
        return self._count(LATE)

    @property
    def warnings(self) -> list[str]:
        """What to know before the figures are believed; each a sentence."""
        found = []
        if self.measured_seconds <= 0:
            found.append("It was stopped before the warm-up was over: nothing was measured.")
        elif self.measured_seconds < WHOLE * self.options.duration_seconds:
            found.append(
                f"It was stopped after {self.measured_seconds:.1f} s of the {self.options.duration_seconds:g} s that "
                "were to be measured."
            )
        if not self.options.fresh and 0 < self.opened < self.options.connections:
            found.append(f"Only {self.opened} of the {self.options.connections} connections could be made.")
        if self.options.rate and self.due and self.late > LATE_SHARE * self.due:
            most = self._count(LATE_MOST) / NANOSECONDS
            found.append(
                f"The generator was the limit: {self.late / self.due:.2%} of the sends began over 1 ms late, the worst "
                f"{most * 1000:.0f} ms. Use more --workers, or a lower --rate."
            )
        busy = self._count(PROCESSOR) / NANOSECONDS / self.measured_seconds if self.measured_seconds else 0.0
        if busy > BUSY_SHARE:
            found.append(
                f"A worker of the generator used {busy:.0%} of a processor: it may be the limit, and not the server. "
                "Use more --workers where there are processors."
            )
        return found

    @property
    def knee(self) -> Slice | None:
        """The last slice in which throughput followed a growing rate before it stayed behind for good; else None."""
        rate = self.options.rate
        if rate is None or rate.last <= rate.first:
            return None
        behind = [each.throughput < FOLLOWS * each.due_rate for each in self.slices]
        for number in range(1, len(behind)):
            if not behind[number - 1] and all(behind[number:]) and len(behind) - number > 1:
                return self.slices[number - 1]
        return None

    def as_json(self, results: Sequence[ThresholdResult]) -> dict[str, Any]:
        """Return everything as the documented JSON has it: docs/load.md."""
        options = asdict(self.options)
        return {
            "schema": JSON_SCHEMA,
            "version": __version__,
            "started_at": self.started_at,
            "options": options,
            "measured_seconds": round(self.measured_seconds, 6),
            "due": self.due,
            "exchanges": self.exchanges,
            "outcomes": {str(outcome): count for outcome, count in self.outcomes.items()},
            "error_rate": self.error_rate,
            "throughput_per_second": self.throughput,
            "throughput_bytes_per_second": self.bytes_per_second,
            "response_time_seconds": _figures(self.response_time),
            "service_time_seconds": _figures(self.service_time),
            "phase_seconds": {str(phase): _figures(each) for phase, each in self.phases.items()},
            "sent_bytes": self._count(SENT),
            "received_bytes": self._count(RECEIVED),
            "connections_opened": self.opened,
            "connections_lost": self.lost,
            "late_sends": self.late,
            "late_most_seconds": self._count(LATE_MOST) / NANOSECONDS,
            "warnings": self.warnings,
            "knee": self.knee and asdict(self.knee),
            "thresholds": [asdict(result) for result in results],
            "slices": [asdict(each) for each in self.slices],
        }


def _figures(distribution: Distribution) -> dict[str, float | int | None]:
    """Return the figures of a distribution, in seconds; None where there is nothing to tell."""
    figures: dict[str, float] = {"mean": distribution.mean}
    figures |= {f"p{percent:g}": distribution.percentile(percent) for percent in PERCENTILES}
    figures["max"] = distribution.most
    return {
        "count": distribution.count,
        **{name: None if math.isnan(value) else round(value, 9) for name, value in figures.items()},
    }
