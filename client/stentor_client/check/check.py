"""A check, and its finding."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

from stentor_client.check.subject import Subject
from stentor_client.verify.outcomes import ExchangeError, Outcome, Phase, Shortage

_DIALING = (Phase.RESOLVE, Phase.CONNECT, Phase.TLS)
NO_CONNECTION = {
    Outcome.DNS: "a wrong name, or a resolver that does not know it",
    Outcome.REFUSED: "nothing listens there, or a firewall rejects",
    Outcome.UNREACHABLE: "no route, a firewall that rejects, or no such Unix socket",
    Outcome.CONNECT_TIMEOUT: "a firewall that drops packets, a host that is down, or a server at its limit",
    Outcome.TLS: "the two sides do not agree on TLS: on whether to use it, its versions, or whom to trust; "
    "or the server requires a PROXY header before it",
    Outcome.RESET: "a proxy that has no server, or a limit on connections",
}


class Status(StrEnum):
    """How a check ended."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Finding:
    """The finding of a check; `measured` are figures for programs, with units in their names.

    A check can fail although every byte is correct. Then `outcome` and `phase` are empty.
    """

    status: Status
    detail: str
    outcome: Outcome | None = None
    phase: Phase | None = None
    measured: Mapping[str, Any] = field(default_factory=dict)
    shortage: Shortage | None = None  # of this machine, which caused the failure
    cause: str = ""  # what usually causes what was found; defaults to the usual cause of the check

    @classmethod
    def good(cls, detail: str, **measured: Any) -> "Finding":
        """Return the finding of a check that passed."""
        return cls(Status.PASS, detail, measured=measured)

    @classmethod
    def bad(cls, error: ExchangeError, detail: str = "", cause: str = "", **measured: Any) -> "Finding":
        """Return the finding of a check whose exchange failed; `detail` replaces that of the error.

        Without a connection, the cause is what usually prevents one.
        """
        cause = cause or (NO_CONNECTION.get(error.outcome, "") if error.phase in _DIALING else "")
        return cls(Status.FAIL, detail or str(error), error.outcome, error.phase, measured, error.shortage, cause)


class Check(ABC):
    """One thing to prove about a path."""

    name: ClassVar[str]
    proves: ClassVar[str]  # a sentence
    usual_cause: ClassVar[str]  # of a failure; follows "Usually: "
    wrong_bytes: ClassVar[str] = "something that changes bytes, or sends more than the reply"  # another usual cause
    needs: ClassVar[tuple[str, ...]] = ("connect", "answer")  # checks that must pass first

    @abstractmethod
    async def run(self, subject: Subject) -> Finding:
        """Run the check; an `ExchangeError` makes it fail with the words of the error."""


@dataclass(frozen=True, slots=True)
class Result:
    """A check that ran or was skipped."""

    check: Check
    finding: Finding
    duration_seconds: float

    @property
    def name(self) -> str:
        """The name of the check."""
        return self.check.name

    @property
    def cause(self) -> str:
        """What usually causes what was found; empty if this machine caused it, as the finding then says."""
        if self.finding.shortage:
            return ""
        wrong = self.finding.outcome in {Outcome.MISMATCH, Outcome.EXTRA}
        return self.finding.cause or (self.check.wrong_bytes if wrong else self.check.usual_cause)

    @property
    def status(self) -> Status:
        """How it ended."""
        return self.finding.status
