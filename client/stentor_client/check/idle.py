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
AGE_MARGIN_SECONDS = 1.0  # by which a limit on age may reach that connection later than a silent one
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
        calls: list[Call] = []
        alone = ""
        async with contextlib.AsyncExitStack() as open_calls:
            try:
                while len(calls) <= len(self.ladder):
                    call = await open_calls.enter_async_context(subject.call())
                    await call.ask(SIZE_BYTES)
                    calls.append(call)
            except ExchangeError as error:
                if not calls:
                    raise
                alone = f"; only {wording.counted(len(calls), 'connection')} at once got a reply ({error})"
            ladder = self.ladder[-len(calls) :]  # the longest, if there are too few connections
            silent, spare, over = calls[-len(ladder) :], calls[: -len(ladder)], asyncio.Event()
            busy = asyncio.create_task(_keep_busy(spare, over))  # the oldest connection, if there are enough
            tried = await asyncio.gather(*(_wait(call, step) for call, step in zip(silent, ladder, strict=True)))
            if any(failure is not None for _, failure in tried):
                await asyncio.sleep(AGE_MARGIN_SECONDS)
            over.set()
            never_silent = await busy
        alive: float | None = None
        for number, (silence, failure) in enumerate(tried):
            if failure is not None:
                before = f"alive after {wording.duration(ladder[number - 1])}, " if number else ""
                words = f"{before}dead after {wording.duration(ladder[number])} ({failure}){alone}"
                cause = _FORGOTTEN if failure.outcome is Outcome.TIMEOUT else ""
                if never_silent is not None:
                    words, cause = f"{words}; so is a connection that was never silent ({never_silent})", _TOO_OLD
                return Finding.bad(failure, words, cause, alive_after_seconds=alive, dead_after_seconds=silence)
            alive = silence
        words = f"alive after {wording.listed([wording.duration(step) for step in ladder])}{alone}"
        return Finding.good(words, alive_after_seconds=alive, dead_after_seconds=None)


async def _keep_busy(calls: list[Call], over: asyncio.Event) -> ExchangeError | None:
    """Exchange again and again, and once more when it is `over`; return the failure, if any."""
    for call in calls:
        last = False
        while not last:
            last = over.is_set()
            if error := await failure_of(call.ask(SIZE_BYTES)):
                return error
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(BUSY_SECONDS):
                    await over.wait()
    return None


async def _wait(call: Call, seconds: float) -> tuple[float, ExchangeError | None]:
    """Return how long the connection was silent, and how it failed in its silence or after it."""
    error = await failure_of(call.silent(seconds))
    silence = round(call.silence, 3)
    return silence, error or await failure_of(call.ask(SIZE_BYTES))
