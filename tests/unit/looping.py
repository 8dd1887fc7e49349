"""An event loop for one test, and the log of what runs on it."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import structlog

from stentor_chassis.logs.log import Logger

SECONDS = 20.0  # nothing in a unit test takes this long

T = TypeVar("T")


Complaints = list[dict[str, Any]]
complaints: list[Complaints] = [[]]  # the one list is of the test that runs: what callbacks raised on its loops


def watched(new_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop) -> asyncio.AbstractEventLoop:
    """Return a loop that notes what a callback on it raises, so that it does not go by in silence."""
    loop = new_loop()
    loop.set_exception_handler(partial(_note, complaints[0]))
    return loop


def _note(noted: Complaints, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    noted.append(context)
    error = context.get("exception")
    if error is not None and not isinstance(error, Exception):
        loop.stop()  # the test's time-out was raised in a callback of uvloop's, which would let the test hang on


class Events:
    """A real logger whose events are kept instead of written."""

    def __init__(self) -> None:
        """Begin without events."""
        self._capture = structlog.testing.LogCapture()
        self.logger: Logger = structlog.wrap_logger(
            structlog.ReturnLogger(),
            processors=[self._capture],
            wrapper_class=structlog.make_filtering_bound_logger("debug"),
        )

    def find(self, name: str, **fields: object) -> list[dict[str, Any]]:
        """Return the events so far that have these fields."""
        wanted = {"event": name, **fields}
        return [dict(entry) for entry in self._capture.entries if wanted.items() <= entry.items()]


async def eventually(condition: Callable[[], T], description: str, seconds: float = SECONDS / 2) -> T:
    """Return the first true result of `condition`, letting the loop run meanwhile; fail with the last one."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while not (result := condition()):
        assert loop.time() < deadline, f"not within {seconds} s: {description}; last: {result!r}"
        await asyncio.sleep(0.002)
    return result
