"""Whether a connection survives silence."""

import asyncio
import contextlib

from stentor_client.check.call import Call
from stentor_client.check.check import Check, Finding
from stentor_client.check.subject import Subject, failure_of
from stentor_client.output import wording
from stentor_client.verify.outcomes import ExchangeError, Outcome

SIZE_BYTES = 64
_MINUTE, _HOUR = 60, 3600
LADDER = (
    *(1, 2, 5, 10, 30),
    *(minutes * _MINUTE for minutes in (1, 2, 5, 10, 30)),
    *(hours * _HOUR for hours in (1, 2, 5, 10, 24)),
)


BUSY_SECONDS = 0.5  # between the exchanges of a connection that shows whether silence is to blame
_TOO_OLD = "a limit on the age of connections, or a path that loses them; silence has no part in it"
_FORGOTTEN = "a firewall or a NAT that forgets idle connections: raise its time-out, or send TCP keep-alives more often"


class Idle(Check):
    """Keeps connections silent, all at once and each for its own time, and then exchanges again."""

    name = "idle"
    proves = "A connection that was silent for a while still works."
    usual_cause = (
        "an idle time-out of a proxy, a load balancer or the server (HAProxy's timeout client and timeout server, "
        "nginx's proxy_timeout, Envoy's idle_timeout): raise it, or send something more often than that; TCP "
        "keep-alives do not count"
    )

    def __init__(self, longest_seconds: float) -> None:
        """Try silences of up to `longest_seconds`."""
        self.ladder = [*(step for step in LADDER if step < longest_seconds), longest_seconds]

    async def run(self, subject: Subject) -> Finding:
        """Run the check."""
        async with contextlib.AsyncExitStack() as open_calls:
            calls, refused = await _connected(open_calls, subject, len(self.ladder) + 1)
            ladder = self.ladder[-len(calls) :]  # the longest, if there are too few connections
            busy = asyncio.create_task(_keep_busy(calls[len(ladder) :]))
            tried = await asyncio.gather(*(_wait(call, step) for call, step in zip(calls, ladder, strict=False)))
            never_silent = busy.result() if busy.done() else None
            busy.cancel()
        alone = (
            f"; of {len(self.ladder) + 1} connections at once {len(calls)} got a reply ({refused})" if refused else ""
        )
        alive: float | None = None
        steps: list[str] = []
        for step, (silence, error) in zip(ladder, tried, strict=True):
            if error is not None:
                before = f"alive after {steps[-1]}, " if steps else ""
                words = f"{before}dead after {wording.duration(step)} ({error}){alone}"
                cause = _FORGOTTEN if error.outcome is Outcome.TIMEOUT else ""
                if never_silent is not None:
                    words, cause = f"{words}; a connection that was never silent failed, too ({never_silent})", _TOO_OLD
                return Finding.bad(error, words, cause, alive_after_seconds=alive, dead_after_seconds=silence)
            alive = silence
            steps.append(wording.duration(step))
        return Finding.good(
            f"alive after {wording.listed(steps)}{alone}", alive_after_seconds=alive, dead_after_seconds=None
        )


async def _connected(
    open_calls: contextlib.AsyncExitStack, subject: Subject, wanted: int
) -> tuple[list[Call], ExchangeError | None]:
    """Return connections that got a reply, and why there are fewer than wanted; raise if there are none."""
    calls: list[Call] = []
    try:
        while len(calls) < wanted:
            call = await open_calls.enter_async_context(subject.call())
            await call.ask(SIZE_BYTES)
            calls.append(call)
    except ExchangeError as error:
        if not calls:
            raise
        return calls, error
    return calls, None


async def _keep_busy(calls: list[Call]) -> ExchangeError | None:
    """Exchange again and again; return how that fails, at once if there is no connection to do it on."""
    while calls:
        if error := await failure_of(calls[0].ask(SIZE_BYTES)):
            return error
        await asyncio.sleep(BUSY_SECONDS)
    return None


async def _wait(call: Call, seconds: float) -> tuple[float, ExchangeError | None]:
    """Return how long the connection was silent, and how it failed in its silence or after it."""
    error = await failure_of(call.silent(seconds))
    silence = round(call.silence, 3)
    return silence, error or await failure_of(call.ask(SIZE_BYTES))
