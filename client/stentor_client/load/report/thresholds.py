"""What a load must not exceed."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stentor_client.load.report.quantities import share_text

if TYPE_CHECKING:
    from stentor_client.load.report.summary import Summary


@dataclass(frozen=True, slots=True)
class ThresholdResult:
    """One threshold, and whether it was met."""

    name: str
    limit: float
    actual: float | None  # None where there was nothing to measure, which does not meet it
    met: bool

    @property
    def limit_text(self) -> str:
        """The threshold as the command line has it."""
        return f"--{self.name} {share_text(self.limit) if self._share else f'{self.limit * 1000:g}ms'}"

    @property
    def actual_text(self) -> str:
        """What was measured: a time in the unit of its limit, and fine enough to tell the two apart."""
        if self.actual is None:
            return "nothing"
        return share_text(self.actual) if self._share else f"{self.actual * 1000:.3f} ms"

    @property
    def _share(self) -> bool:
        return self.name == "max-error-rate"

    def __str__(self) -> str:
        """Say it in words."""
        return f"{self.limit_text}: {'met' if self.met else 'not met'}, measured {self.actual_text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Rates from 0 to 1, times in seconds; None does not count."""

    max_error_rate: float | None = None
    max_p50: float | None = None
    max_p99: float | None = None

    def judge(self, summary: "Summary") -> list[ThresholdResult]:
        """Hold a load against them; times are response times."""
        times = summary.response_time
        actual = {
            "max-error-rate": (self.max_error_rate, summary.error_rate),
            "max-p50": (self.max_p50, times.percentile(50)),
            "max-p99": (self.max_p99, times.percentile(99)),
        }
        return [
            ThresholdResult(name, limit, None if math.isnan(value) else value, met=value <= limit)
            for name, (limit, value) in actual.items()
            if limit is not None
        ]
