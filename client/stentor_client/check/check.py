"""What a check is, and what it finds."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

from stentor_client.check.subject import Subject
from stentor_client.verify.outcomes import ExchangeError, Outcome, Phase


class Status(StrEnum):
    """The end of a check."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found; `measured` are its figures for programs, with their units in their names.

    A check can fail without a wrong outcome: every byte is right, and yet not what it must prove. Then `outcome` and
    `phase` are empty.
    """

    status: Status
    detail: str
    outcome: Outcome | None = None
    phase: Phase | None = None
    measured: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def good(cls, detail: str, **measured: Any) -> "Finding":
        """Return that of a check that passed."""
        return cls(Status.PASS, detail, measured=measured)

    @classmethod
    def bad(cls, error: ExchangeError, detail: str = "", **measured: Any) -> "Finding":
        """Return that of a check that failed with an exchange; `detail` takes the place of the error's own."""
        return cls(Status.FAIL, detail or str(error), error.outcome, error.phase, measured)


class Check(ABC):
    """One thing to prove about a path."""

    name: ClassVar[str]
    proves: ClassVar[str]  # a sentence
    usual_cause: ClassVar[str]  # of its failing, to come after "Usually"
    needs: ClassVar[tuple[str, ...]] = ("connect", "answer")  # names of checks without which it would prove nothing

    @abstractmethod
    async def run(self, subject: Subject) -> Finding:
        """Try it; an `ExchangeError` that is raised is a failure that speaks for itself."""


@dataclass(frozen=True, slots=True)
class Result:
    """A check that was run, or skipped."""

    check: Check
    finding: Finding
    duration_seconds: float

    @property
    def name(self) -> str:
        """The name of the check."""
        return self.check.name

    @property
    def status(self) -> Status:
        """How it ended."""
        return self.finding.status
