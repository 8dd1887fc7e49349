"""The steps of making a connection: their durations, and the reason if one failed."""

import asyncio
import contextlib
import errno
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from stentor_chassis.address import printable
from stentor_client.verify.outcomes import (
    ExchangeError,
    Outcome,
    Phase,
    Shortage,
    of_connect_error,
    reason_of,
    shortage_of,
)
from stentor_client.wire.target import Target

UNANSWERED = "no answer"  # in time
SLOWER = f"{UNANSWERED} before another address connected"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address that a name resolved to."""

    family: int
    address: Any  # in the form that connect(2) expects

    def __str__(self) -> str:
        """Return it for people."""
        return f"unix:{self.address}" if self.family == socket.AF_UNIX else printable(self.address)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of dialing, between two moments of the performance counter."""

    phase: Phase
    begun: int
    ended: int
    endpoint: Endpoint | None  # None while resolving
    error: str  # the reason for people; empty if the step succeeded


@dataclass(slots=True)
class DialRecord:
    """How a connection was made, and between which addresses."""

    target: Target
    steps: list[Step] = field(default_factory=list)  # at least one for each endpoint that was tried
    endpoints: list[Endpoint] = field(default_factory=list)  # all that the name resolved to
    endpoint: Endpoint | None = None  # the one connected to; after a failure the one tried last
    local: str = ""  # our own address, once connected
    proxy_header: bytes = b""  # as sent

    @property
    def durations(self) -> dict[Phase, int]:
        """How long each phase lasted, in nanoseconds; attempts that overlap count once."""
        found: dict[Phase, int] = {}
        covered_until = 0
        for step in sorted(self.steps, key=lambda step: step.begun):
            lasted = max(0, step.ended - max(step.begun, covered_until))
            found[step.phase] = found.get(step.phase, 0) + lasted
            covered_until = max(covered_until, step.ended)
        return found

    @property
    def passed_over(self) -> list[Endpoint]:
        """The endpoints that were tried in vain: all but the one connected to, and those tried after it."""
        made = [step.begun for step in self.steps if self.local and step.endpoint == self.endpoint]
        before = min(made, default=time.perf_counter_ns())
        return [*dict.fromkeys(step.endpoint for step in self.steps if step.endpoint and step.begun < before)]

    @contextlib.contextmanager
    def timed(self, phase: Phase, endpoint: Endpoint | None = None) -> Iterator[None]:
        """Record a step.

        Raises:
            DialError: if the step fails with an `OSError`, `UnicodeError` or `MemoryError`.

        """
        reason = ""
        begun = time.perf_counter_ns()
        try:
            yield
        except (OSError, UnicodeError, MemoryError) as error:
            cause = OSError(errno.ENOMEM, "") if isinstance(error, MemoryError) else error
            reason = reason_of(cause)
            detail = f"{endpoint or self.target}: {reason}"
            raise DialError(of_connect_error(cause, phase), phase, detail, self, shortage_of(cause)) from error
        except asyncio.CancelledError:
            reason = SLOWER if self.local else UNANSWERED
            raise
        finally:
            self.steps.append(Step(phase, begun, time.perf_counter_ns(), endpoint, reason))

    def end_attempts(self) -> None:
        """Put the attempts in order: the one that succeeded last, so that the steps that follow are next to it."""
        self.steps.sort(key=lambda step: (self.endpoint is not None and step.endpoint == self.endpoint, step.begun))
        if self.steps:
            self.endpoint = self.steps[-1].endpoint


class DialError(ExchangeError):
    """A connection that could not be made, with the record of how far it got."""

    def __init__(
        self, outcome: Outcome, phase: Phase, detail: str, record: DialRecord, shortage: Shortage | None = None
    ) -> None:
        """`detail` is for people."""
        super().__init__(outcome, phase, detail, shortage)
        self.record = record
