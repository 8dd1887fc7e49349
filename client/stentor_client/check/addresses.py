"""Whether every address of the name works."""

import asyncio

from stentor_client.check.check import Check, Finding, Status
from stentor_client.check.subject import Subject, failure_of
from stentor_client.output import wording
from stentor_client.wire.dial_record import Endpoint

SIZE_BYTES = 64


class Addresses(Check):
    """Exchanges with every address that the target's name resolves to."""

    name = "addresses"
    proves = "Every address that the name resolves to leads to a server that answers, not only the first."
    usual_cause = "an address on which nothing listens (often the IPv6 one), or one server of several that is down"
    wrong_bytes = "another service at one of the addresses"
    needs = ("connect",)  # but no answer: that of the first address proves nothing about the others

    async def run(self, subject: Subject) -> Finding:
        """Run the check."""
        if subject.is_unix:
            return Finding(Status.SKIP, "a Unix socket has one address")
        endpoints = await subject.endpoints()
        if len(endpoints) == 1:
            return Finding(Status.SKIP, f"{endpoints[0]} is the only one, and connect used it")
        failures = await asyncio.gather(*(failure_of(_try(subject, endpoint)) for endpoint in endpoints))
        tried = list(zip(endpoints, failures, strict=True))
        measured = [{"address": str(at), "outcome": error.outcome if error else "ok"} for at, error in tried]
        bad = [(at, error) for at, error in tried if error is not None]
        if not bad:
            return Finding.good(wording.listed([str(endpoint) for endpoint in endpoints]), addresses=measured)
        worst = max((error for _, error in bad), key=lambda error: error.outcome.exit_code)
        named = "; ".join(f"{at}: {error.outcome}" for at, error in bad)
        return Finding.bad(worst, f"{len(bad)} of {len(tried)} failed: {named}", addresses=measured)


async def _try(subject: Subject, endpoint: Endpoint) -> None:
    async with subject.call(endpoint) as call:
        await call.ask(SIZE_BYTES)
