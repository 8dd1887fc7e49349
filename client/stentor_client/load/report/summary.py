"""The results of a load."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from stentor_chassis.counters.histogram import NANOSECONDS
from stentor_chassis.counters.metrics import Histogram, Metric
from stentor_client import __version__
from stentor_client.load import metrics
from stentor_client.load.metrics import SCHEMA
from stentor_client.load.options import LoadOptions
from stentor_client.load.report.distribution import PERCENTILES, Distribution
from stentor_client.load.report.series import Slice
from stentor_client.load.report.thresholds import ThresholdResult
from stentor_client.metrics import LATE, LOST, OPENED, RECEIVED, SENT
from stentor_client.output import wording
from stentor_client.verify.outcomes import Outcome, Shortage

JSON_SCHEMA = "stentor-load/1"
LATE_SHARE = 0.001  # of the sends: if more are late, the generator is the limit, not the server
BUSY_SHARE = 0.9  # of a processor, for the busiest worker
MISSING, MISSING_SHARE = 0.5, 0.01  # connections, and their share, whose absence for the whole time is reported
WHOLE = 0.999  # of the duration: a shorter load was interrupted
FOLLOWS = 0.95  # of the rate that was due: throughput of at least this much follows it


@dataclass(frozen=True)
class Summary:
    """All figures of one load; those of exchanges are of the exchanges that were due after the warm-up."""

    options: LoadOptions
    started_at: str  # UTC, ISO 8601
    measured_seconds: float
    totals: Sequence[int]
    slices: Sequence[Slice]
    names: Sequence[str] = ()  # the addresses of the target

    def _count(self, metric: Metric, value: str = "") -> int:
        return self.totals[SCHEMA.slot(metric, value)]

    def _counts(self, metric: Metric) -> dict[Any, int]:
        """Return the counts of all label values, except 0."""
        return {value: count for value in metric.values if (count := self._count(metric, value))}

    def _per_second(self, metric: Metric) -> float:
        return self._count(metric) / self.measured_seconds if self.measured_seconds else 0.0

    def _distribution(self, metric: Histogram, value: str = "", most: Metric | None = None) -> Distribution:
        first = SCHEMA.slot(metric, value)
        return Distribution.of(self.totals[first : first + metric.width], self._count(most) if most else None)

    @property
    def outcomes(self) -> dict[Outcome, int]:
        """The number of exchanges by outcome, for outcomes that occurred."""
        return self._counts(metrics.MEASURED)

    @property
    def exchanges(self) -> int:
        """The number of exchanges that ended."""
        return sum(self.outcomes.values())

    @property
    def good(self) -> int:
        """The number of exchanges with the right reply."""
        return self.outcomes.get(Outcome.OK, 0)

    @property
    def error_rate(self) -> float:
        """The share of exchanges, from 0 to 1, without the right reply."""
        return (self.exchanges - self.good) / self.exchanges if self.exchanges else 1.0

    @property
    def throughput(self) -> float:
        """Right replies per second of the measured time; those that arrived after it do not count."""
        return self._per_second(metrics.REPLIES)

    @property
    def bytes_per_second(self) -> float:
        """Bytes of these replies per second; the messages had as many."""
        return self._per_second(metrics.REPLY_BYTES)

    @property
    def response_time(self) -> Distribution:
        """From the moment the schedule called for the send."""
        return self._distribution(metrics.RESPONSE_TIME, most=metrics.RESPONSE_MOST)

    @property
    def service_time(self) -> Distribution:
        """From the actual send."""
        return self._distribution(metrics.SERVICE_TIME, most=metrics.SERVICE_MOST)

    @property
    def phases(self) -> dict[str, Distribution]:
        """Parts of the exchanges, except those that did not occur."""
        found = {phase: self._distribution(metrics.PHASES, phase) for phase in metrics.PHASES.values}
        return {phase: each for phase, each in found.items() if each.count}

    @property
    def due(self) -> int:
        """The number of exchanges that the schedule called for."""
        return self._count(metrics.DUE)

    @property
    def opened(self) -> int:
        """The number of connections made, including those for the warm-up."""
        return self._count(OPENED)

    @property
    def open_mean(self) -> float:
        """How many connections were open at once, on average over the measured time."""
        return self._per_second(metrics.OPEN_TIME) / NANOSECONDS

    @property
    def open_most(self) -> int:
        """The most that were open at once; with several workers, the sum of theirs."""
        return self._count(metrics.OPEN_MOST)

    @property
    def too_few_connections(self) -> bool:
        """Whether fewer connections were open than asked for: one of them for half of the time, or 1 % of them."""
        asked = self.options.connections
        measured = self.measured_seconds > 0 and not self.options.fresh
        return measured and self.open_mean < asked - min(MISSING, MISSING_SHARE * asked)

    @property
    def shortages(self) -> dict[Shortage, int]:
        """The number of connections that this machine could not make, by what it ran out of."""
        return self._counts(metrics.SHORTAGES)

    @property
    def addresses(self) -> list[dict[str, Any]]:
        """The counts of each address; those that the name did not resolve to before are counted together."""
        first, width = SCHEMA.slots(metrics.AT).start, len(metrics.AT_EACH)
        found = []
        for place in range(metrics.MOST_ADDRESSES + 1):
            opened, missed, good, failed = self.totals[first + width * place :][:width]
            name = [*self.names[: metrics.MOST_ADDRESSES], *["others"] * metrics.MOST_ADDRESSES][place]
            if place < len(self.names) or opened or missed:
                counts = {"connections": opened, "failed_attempts": missed, "exchanges": good + failed}
                found.append({"address": name, **counts, "failures": failed})
        return found

    @property
    def lost(self) -> dict[str, int]:
        """The number of connections that ended before this side closed them, by outcome."""
        return self._counts(LOST)

    @property
    def surplus(self) -> bool:
        """Whether a peer sent bytes that belong to no reply."""
        return Outcome.EXTRA in self.lost

    @property
    def late(self) -> int:
        """The number of sends that the generator itself began over 1 ms late."""
        return self._count(LATE)

    @property
    def warnings(self) -> list[str]:
        """Reasons to doubt the figures, and what was asked for and not had; each is a sentence or two."""
        found = [
            f"{wording.counted(count, 'connection')} could not be made, and not by the target's fault: {name.reason}."
            for name, count in self.shortages.items()
        ]
        if self.too_few_connections:
            found.append(
                f"Only {wording.rate(self.open_mean)} of the {self.options.connections:,} connections were open on "
                f"average: {self.opened:,} were made, and {sum(self.lost.values()):,} lost."
            )
        for address, opened, missed, *_ in (each.values() for each in self.addresses if len(self.names) > 1):
            if missed:
                failed = wording.counted(missed, "attempt")
                found.append(f"{failed} to connect to {address} failed: stentor-client check shows why.")
            elif not opened:
                found.append(f"There was no connection to {address}.")
        if self.measured_seconds <= 0:
            found.append("It was stopped before the warm-up was over: nothing was measured.")
        elif self.measured_seconds < WHOLE * self.options.duration_seconds:
            found.append(f"It was stopped after {self.measured_seconds:.1f} s of {self.options.duration_seconds:g} s.")
        if self.options.rate and self.due and self.late > LATE_SHARE * self.due:
            most = self._count(metrics.LATE_MOST) / NANOSECONDS
            found.append(
                f"The generator was the limit: it began {wording.share(self.late / self.due)} of the sends over 1 ms "
                f"late, the worst {most * 1000:.0f} ms. Use more --workers, or a lower --rate."
            )
        busy = self._per_second(metrics.PROCESSOR) / NANOSECONDS
        if busy > BUSY_SHARE:
            found.append(
                f"A worker of the generator used {wording.share(busy)} of a processor: it may be the limit, not the "
                "server. Use more --workers if there are processors."
            )
        return found

    @property
    def knee(self) -> Slice | None:
        """The last slice in which throughput followed a growing rate, if it then fell behind for good."""
        rate = self.options.rate
        if rate is None or rate.last <= rate.first:
            return None
        followed = [number for number, each in enumerate(self.slices) if each.throughput >= FOLLOWS * each.due_rate]
        return self.slices[followed[-1]] if followed and followed[-1] < len(self.slices) - 2 else None

    def as_json(self, results: Sequence[ThresholdResult]) -> dict[str, Any]:
        """Return everything as documented in docs/load.md."""
        return {
            "schema": JSON_SCHEMA,
            "version": __version__,
            "started_at": self.started_at,
            "options": asdict(self.options),
            "measured_seconds": round(self.measured_seconds, 6),
            "due": self.due,
            "exchanges": self.exchanges,
            "outcomes": self.outcomes,
            "error_rate": self.error_rate,
            "throughput_per_second": self.throughput,
            "throughput_bytes_per_second": self.bytes_per_second,
            "response_time_seconds": _figures(self.response_time),
            "service_time_seconds": _figures(self.service_time),
            "phase_seconds": {phase: _figures(each) for phase, each in self.phases.items()},
            "sent_bytes": self._count(SENT),
            "received_bytes": self._count(RECEIVED),
            "connections_opened": self.opened,
            "connections_lost": self.lost,
            "connections_open_mean": round(self.open_mean, 3),
            "connections_open_most": self.open_most,
            "addresses": self.addresses,
            "shortages": self.shortages,
            "late_sends": self.late,
            "late_most_seconds": self._count(metrics.LATE_MOST) / NANOSECONDS,
            "warnings": self.warnings,
            "knee": self.knee and asdict(self.knee),
            "thresholds": [asdict(result) for result in results],
            "slices": [asdict(each) for each in self.slices],
        }


def _figures(times: Distribution) -> dict[str, float | None]:
    """Return the figures of a distribution, in seconds; None if there is nothing to measure."""
    percentiles = {f"p{percent:g}": times.percentile(percent) for percent in PERCENTILES}
    figures = {"mean": times.mean, **percentiles, "max": times.most}
    known = {name: None if math.isnan(value) else round(value, 9) for name, value in figures.items()}
    return {"count": times.count, **known}
