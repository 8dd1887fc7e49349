"""A kernel timer, precise to the microsecond; the timers of the event loop are precise to the millisecond.

See timerfd_create(2). The clock is that of `time.perf_counter_ns`, which on Linux is CLOCK_MONOTONIC.
"""

import asyncio
import os
import sys
import time
from collections.abc import Callable

if sys.version_info >= (3, 13):

    def _create() -> int:
        return os.timerfd_create(time.CLOCK_MONOTONIC, flags=os.TFD_NONBLOCK | os.TFD_CLOEXEC)

    def _arm(fd: int, due: int) -> None:
        os.timerfd_settime_ns(fd, flags=os.TFD_TIMER_ABSTIME, initial=due)

else:
    import ctypes

    from stentor_chassis.counters.histogram import NANOSECONDS

    _TFD_TIMER_ABSTIME = 1
    _libc = ctypes.CDLL(None, use_errno=True)
    _Itimerspec = ctypes.c_long * 4  # seconds and nanoseconds: of the interval, of the first expiry

    def _create() -> int:
        fd: int = _libc.timerfd_create(time.CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if fd < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return fd

    def _arm(fd: int, due: int) -> None:
        if _libc.timerfd_settime(fd, _TFD_TIMER_ABSTIME, _Itimerspec(0, 0, *divmod(due, NANOSECONDS)), None):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


class Timer:
    """Expires at one moment at a time; needs a running event loop, and must be closed."""

    def __init__(self, callback: Callable[[], object] | None = None) -> None:
        """Call `callback` at each moment that `set` sets; without one, wait with `until`.

        Raises:
            OSError: if the process has no file descriptor left.

        """
        self._callback = callback
        self._waiter: asyncio.Future[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._fd = _create()
        self._loop.add_reader(self._fd, self._expired)

    def set(self, due: int) -> None:
        """Expire once at `due`, in nanoseconds of `perf_counter_ns`, instead of at the moment set before.

        A past moment expires in the next turn of the event loop.
        """
        _arm(self._fd, max(due, 1))  # 0 would disarm it

    async def until(self, due: int) -> None:
        """Wait until `due`; one caller at a time. After a cancelled wait, the next one is not affected."""
        self._waiter = self._loop.create_future()
        self.set(due)
        await self._waiter

    def close(self) -> None:
        """Stop the timer."""
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _expired(self) -> None:
        try:
            os.read(self._fd, 8)  # the number of expirations
        except BlockingIOError:  # it was set again in the meantime
            return
        if self._callback is not None:
            self._callback()
        elif self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
