"""Runs the checks."""

import time
from collections.abc import Callable, Collection, Sequence

from stentor_client.check.addresses import Addresses
from stentor_client.check.answer import Answer
from stentor_client.check.byte_values import ByteValues
from stentor_client.check.check import Check, Finding, Result, Status
from stentor_client.check.concurrency import Concurrency
from stentor_client.check.connect import Connect
from stentor_client.check.duplex import Duplex
from stentor_client.check.half_close import HalfClose
from stentor_client.check.idle import Idle
from stentor_client.check.segmentation import Segmentation
from stentor_client.check.sizes import Sizes
from stentor_client.check.subject import Subject
from stentor_client.verify.outcomes import CHECK_FAILED, ExchangeError, worst_exit_code

KINDS = (Connect, Answer, ByteValues, Sizes, Segmentation, HalfClose, Duplex, Idle, Concurrency, Addresses)


def battery(largest: int, idle_seconds: float, only: Collection[str] = (), skip: Collection[str] = ()) -> list[Check]:
    """Return the checks in order; `largest` is a message in bytes, `idle_seconds` the longest silence, 0 for none.

    If there are names in `only`, others are left out, and those in `skip` are; but never a check that another needs.
    """
    idle = [Idle(idle_seconds)] if idle_seconds else []
    checks = [
        *(Connect(), Answer(), ByteValues(), Sizes(largest), Segmentation(), HalfClose(), Duplex()),
        *idle,
        *(Concurrency(), Addresses()),
    ]
    wanted = [check for check in checks if check.name not in skip and (check.name in only or not only)]
    names = {check.name for check in wanted}.union(*(check.needs for check in wanted))
    return [check for check in checks if check.name in names]


async def run(
    checks: Sequence[Check],
    subject: Subject,
    on_begin: Callable[[Check], object] = lambda _: None,
    on_end: Callable[[Result], object] = lambda _: None,
) -> list[Result]:
    """Run the checks one after the other; call `on_begin` with each as it begins, and `on_end` with its result."""
    results: list[Result] = []
    failed: set[str] = set()
    for check in checks:
        on_begin(check)
        begun = time.perf_counter()
        missing = next((name for name in check.needs if name in failed), None)
        finding = (
            Finding(Status.SKIP, f"not tried, because {missing} failed") if missing else await _finding(check, subject)
        )
        if finding.status is Status.FAIL:
            failed.add(check.name)
        results.append(Result(check, finding, time.perf_counter() - begun))
        on_end(results[-1])
    return results


def exit_code(results: Sequence[Result]) -> int:
    """Return the exit code of a battery with these results: that of the worst outcome, if any."""
    failed = [result.finding for result in results if result.status is Status.FAIL]
    worst = worst_exit_code(finding.outcome for finding in failed if finding.outcome is not None)
    return worst or (CHECK_FAILED if failed else 0)


async def _finding(check: Check, subject: Subject) -> Finding:
    try:
        return await check.run(subject)
    except ExchangeError as error:
        return Finding.bad(error)
