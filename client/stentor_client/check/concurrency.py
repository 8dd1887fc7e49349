"""Whether connections are kept apart."""

import asyncio
import contextlib

from stentor_client.check.call import Call
from stentor_client.check.check import Check, Finding
from stentor_client.check.subject import Subject, failure_of
from stentor_client.output.wording import counted
from stentor_client.verify.outcomes import WRONG_REPLY, ExchangeError

CONNECTIONS = 20
ROUNDS = 10
SIZES = (64, 1024, 5000)
_MIXED_UP = "a proxy that mixes connections up when it reuses them"


class Concurrency(Check):
    """Exchanges unique messages on many connections at once."""

    name = "concurrency"
    proves = f"Each of {CONNECTIONS} connections at once is served, and none gets the reply of another."
    usual_cause = "a lower limit on connections, of the server, a proxy or a firewall (HAProxy's maxconn)"

    async def run(self, subject: Subject) -> Finding:
        """Run the check."""
        async with contextlib.AsyncExitStack() as open_calls:
            calls: list[Call] = []
            try:
                while len(calls) < CONNECTIONS:
                    calls.append(await open_calls.enter_async_context(subject.call()))
            except ExchangeError as error:
                detail = f"with {counted(len(calls), 'connection')} open, another fails: {error}"
                return Finding.bad(error, detail, self.usual_cause)
            failures = await asyncio.gather(*(failure_of(_talk(call, subject)) for call in calls))
        bad = [error for error in failures if error is not None]
        if bad:
            worst = max(bad, key=lambda error: error.outcome.exit_code)
            cause = _MIXED_UP if worst.outcome.exit_code == WRONG_REPLY else ""
            words = (
                f"{CONNECTIONS - len(bad)} of {CONNECTIONS} connections got every reply, one of the others failed with"
            )
            return Finding.bad(worst, f"{words} {worst}", cause)
        return Finding.good(f"{CONNECTIONS} connections, {CONNECTIONS * ROUNDS} messages, each with its own reply")


async def _talk(call: Call, subject: Subject) -> None:
    for number in range(ROUNDS):
        await call.ask(subject.fitting(SIZES[number % len(SIZES)]))
