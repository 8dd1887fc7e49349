"""Whether a connection survives silence."""

import asyncio
import contextlib

from stentor_client.check.call import Call
from stentor_client.check.check import Check, Finding
from stentor_client.check.subject import Subject, failure_of
from stentor_client.output import wording

SIZE_BYTES = 64
_MINUTE, _HOUR = 60, 3600
LADDER = (
    *(1, 2, 5, 10, 30),
    *(minutes * _MINUTE for minutes in (1, 2, 5, 10, 30)),
    *(hours * _HOUR for hours in (1, 2, 5, 10, 24)),
)


class Idle(Check):
    """Keeps connections silent, all at once and each for its own time, and then exchanges again."""

    name = "idle"
    proves = "A connection that was silent for a while still works."
    usual_cause = (
        "an idle time-out of a firewall, a NAT, a load balancer or a proxy: raise it, or send keep-alives more often"
    )

    def __init__(self, longest_seconds: float) -> None:
        """Try silences of up to `longest_seconds`."""
        self.ladder = [*(step for step in LADDER if step < longest_seconds), longest_seconds]

    async def run(self, subject: Subject) -> Finding:
        """Run the check."""
        async with contextlib.AsyncExitStack() as open_calls:
            calls = [await open_calls.enter_async_context(subject.call()) for _ in self.ladder]
            for call in calls:
                await call.ask(SIZE_BYTES)
            waits = (failure_of(_wait(call, step)) for call, step in zip(calls, self.ladder, strict=True))
            failures = await asyncio.gather(*waits)
        alive: float | None = None
        for step, error in zip(self.ladder, failures, strict=True):
            if error is not None:
                before = "" if alive is None else f"alive after {wording.duration(alive)}, "
                detail = f"{before}dead after {wording.duration(step)} ({error})"
                return Finding.bad(error, detail, alive_after_seconds=alive, dead_after_seconds=step)
            alive = step
        detail = f"alive after {wording.listed([wording.duration(step) for step in self.ladder])}"
        return Finding.good(detail, alive_after_seconds=alive, dead_after_seconds=None)


async def _wait(call: Call, seconds: float) -> None:
    await call.silent(seconds)
    await call.ask(SIZE_BYTES)
