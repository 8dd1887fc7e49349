"""A probe inside the test, and what it probes."""

import asyncio
import socket
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Self

from stentor_chassis.counters.shared_counters import SharedCounters
from stentor_client.metrics import ACTIVE, EXCHANGES, LOST, SCHEMA
from stentor_client.probe.options import ProbeOptions
from stentor_client.probe.run import Probe
from stentor_client.verify.outcomes import Outcome
from stentor_client.wire.dialer import DialOptions
from unit.looping import Events

SIZES = [40, 3, 5000]


def honest(connection: socket.socket) -> None:
    """Answer in upper case until the client ends."""
    for data in iter(lambda: connection.recv(65536), b""):
        connection.sendall(data.upper())


def probe_options(target: str, dial: Mapping[str, Any] | None = None, **changes: Any) -> ProbeOptions:
    """Return the options of a quick probe without end, with these changes."""
    options = ProbeOptions(
        dial=DialOptions(target=target, connect_timeout_seconds=5.0, **(dial or {})),
        interval_seconds=0.002,
        connection="persistent",
        resolve="first",
        sizes=SIZES,
        count=0,
        timeout_seconds=5.0,
        expect="upper",
    )
    return replace(options, **changes)


class Probing:
    """A probe of a target, what it counts, and what it logs."""

    def __init__(
        self,
        target: str,
        counters: SharedCounters,
        events: Events,
        first: int = 0,
        dial: Mapping[str, Any] | None = None,
        **changes: Any,
    ) -> None:
        """Probe quickly and without end, except for these changes to the options, and those to how to dial."""
        self.row = counters.row(1)
        self.events = events
        self.stop = asyncio.Event()
        before = [0] * SCHEMA.row_slots
        before[SCHEMA.slot(EXCHANGES, Outcome.OK)] = first
        self.probe = Probe(probe_options(target, dial, **changes), self.row, events.logger, self.stop, before)

    async def run(self) -> Self:
        """Probe to the end."""
        await self.probe.run()
        assert self[ACTIVE] == 0
        return self

    def exchanges(self) -> dict[str, int]:
        """Return how many exchanges ended, by outcome, without the outcomes that did not occur."""
        counts = {str(outcome): self.row[SCHEMA.slot(EXCHANGES, outcome)] for outcome in Outcome}
        return {outcome: count for outcome, count in counts.items() if count}

    def lost(self) -> dict[str, int]:
        """Return how many connections were lost, by outcome, without the outcomes that did not occur."""
        counts = {str(outcome): self.row[SCHEMA.slot(LOST, outcome)] for outcome in LOST.values}
        return {outcome: count for outcome, count in counts.items() if count}

    def observed(self, metric: Any, value: str = "") -> int:
        """Return how many observations a histogram has."""
        first = SCHEMA.slot(metric, value)
        return sum(self.row[first : first + metric.width - 1])

    def __getitem__(self, metric: Any) -> int:
        """Return a metric's value."""
        return self.row[SCHEMA.slot(metric)]


NewProbing = Callable[..., Probing]
