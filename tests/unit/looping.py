"""An event loop for one test, and the log of what runs on it."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import structlog
import uvloop

from stentor_chassis.logs.log import Logger

SECONDS = 20.0  # nothing in a unit test takes this long

T = TypeVar("T")


class Loop:
    """A uvloop of the test's own; what a callback on it raises is kept, so that it does not go by in silence."""

    def __init__(self) -> None:
        """Make the loop."""
        self.complaints: list[dict[str, Any]] = []
        self._runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self._runner.get_loop().set_exception_handler(lambda _loop, context: self.complaints.append(context))

    def run(self, scenario: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end, which must come."""
        return self._runner.run(asyncio.wait_for(scenario, SECONDS))

    def close(self) -> None:
        """End what is left, and the loop."""
        self._runner.close()


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
