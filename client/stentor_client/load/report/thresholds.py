"""Limits that a load must not exceed."""

import math
from dataclasses import dataclass

from stentor_client.load.report.distribution import Distribution


@dataclass(frozen=True, slots=True)
class ThresholdResult:
    """One threshold, and whether it was met."""

    name: str
    limit: float
    actual: float | None  # None if there was nothing to measure, which does not meet it
    met: bool

    @property
    def limit_text(self) -> str:
        """The threshold as an option."""
        return f"--{self.name} {f'{self.limit * 100:.6g}%' if self._is_share else f'{self.limit * 1000:g}ms'}"

    @property
    def actual_text(self) -> str:
        """The measured value: a time in the unit of its limit, precise enough to compare the two."""
        if self.actual is None:
            return "nothing"
        return f"{self.actual * 100:.6g} %" if self._is_share else f"{self.actual * 1000:.3f} ms"

    @property
    def _is_share(self) -> bool:
        return self.name == "max-error-rate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Rates from 0 to 1, response times in seconds; None is no threshold."""

    max_error_rate: float | None = None
    max_p50: float | None = None
    max_p99: float | None = None

    def judge(self, error_rate: float, response_time: Distribution) -> list[ThresholdResult]:
        """Compare a load with them."""
        actual = {
            "max_error_rate": error_rate,
            "max_p50": response_time.percentile(50),
            "max_p99": response_time.percentile(99),
        }
        return [
            ThresholdResult(name.replace("_", "-"), limit, None if math.isnan(value) else value, met=value <= limit)
            for name, value in actual.items()
            if (limit := getattr(self, name)) is not None
        ]
