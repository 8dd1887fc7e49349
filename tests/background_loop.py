"""An event loop in a thread of its own, for tests whose own thread waits."""

import asyncio
import contextlib
import select
import signal
import socket
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
        # Signals write a byte as well. A wait for a lock would miss one that arrives just before it.
        self._woken, self._wake = socket.socketpair()
        self._woken.setblocking(False)
        self._wake.setblocking(False)
        self._wakeup_fd = signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the thread."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        signal.set_wakeup_fd(self._wakeup_fd)
        self._woken.close()
        self._wake.close()

    def start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Run a coroutine."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end, and return or raise what it does; Ctrl-C ends the wait at once."""
        result = self.start(work)
        result.add_done_callback(self._wake_up)
        while not result.done():
            select.select([self._woken], [], [])
            self._woken.recv(4096)
        return result.result()

    def _wake_up(self, _: "Future[Any]") -> None:
        with contextlib.suppress(BlockingIOError):  # full: it is woken anyway
            self._wake.send(b"\0")

    def _run(self, runs: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]]) -> None:
        async def wait() -> None:
            stop = asyncio.Event()
            runs.set_result((asyncio.get_running_loop(), stop))
            await stop.wait()

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(wait())
