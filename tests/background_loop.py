"""An event loop in a thread of its own, for tests whose own thread waits."""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self, TypeVar

import uvloop

T = TypeVar("T")


class BackgroundLoop:
    """Runs coroutines until the `with` block ends, and then cancels the rest."""

    def __enter__(self) -> Self:
        """Start the thread."""
        runs: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        self._thread = threading.Thread(target=self._run, args=(runs,), name="event-loop", daemon=True)
        self._thread.start()
        self._loop, self._stop = runs.result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the thread."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Run a coroutine."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end, and return or raise what it does."""
        return self.start(work).result()

    def _run(self, runs: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]]) -> None:
        async def wait() -> None:
            stop = asyncio.Event()
            runs.set_result((asyncio.get_running_loop(), stop))
            await stop.wait()

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(wait())
