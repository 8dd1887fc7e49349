"""Timers of the kernel."""

import asyncio
import functools
import os
import resource
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from stentor_client.timing.timer import Timer
from unit.looping import eventually

MILLISECOND = 1_000_000


@asynccontextmanager
async def _timer(callback: Callable[[], object] | None = None) -> AsyncIterator[Timer]:
    timer = Timer(callback)
    try:
        yield timer
    finally:
        timer.close()


async def test_until() -> None:
    """It wakes, and never before the moment; how long after, the benchmark of the client measures."""
    async with _timer() as timer:
        for number in range(20):
            due = time.perf_counter_ns() + 2 * MILLISECOND + number * 50_000
            await timer.until(due)
            assert time.perf_counter_ns() >= due


async def test_order() -> None:
    """Timers that are finer apart than a grain of the event loop's own wake in the order of their moments."""
    woken: list[int] = []
    async with AsyncExitStack() as stack:
        start = time.perf_counter_ns() + 200 * MILLISECOND  # all are set by then
        for number in (3, 1, 4, 0, 2):
            timer = await stack.enter_async_context(_timer(functools.partial(woken.append, number)))
            timer.set(start + number * MILLISECOND // 10)
        await eventually(lambda: len(woken) == 5, "all of them")
    assert woken == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("ago", [0, 1, 10 * MILLISECOND, None], ids=["now", "just now", "long ago", "zero"])
async def test_what_has_gone_by(ago: int | None) -> None:
    """A moment that has gone by comes at once, even the clock's first."""
    async with _timer() as timer:
        await timer.until(0 if ago is None else time.perf_counter_ns() - ago)


async def test_callback() -> None:
    """A callback is called once for each moment, at or after it."""
    called: list[int] = []
    async with _timer(lambda: called.append(time.perf_counter_ns())) as timer:
        for count in range(1, 4):
            due = time.perf_counter_ns() + MILLISECOND
            timer.set(due)
            await eventually(lambda count=count: len(called) >= count, "the call")  # type: ignore[misc]
            assert called[-1] >= due
        async with _timer() as other:
            await other.until(time.perf_counter_ns() + 5 * MILLISECOND)
        assert len(called) == 3


async def test_callback_sets_the_next() -> None:
    """A callback may set its timer anew, as a generator of load does."""
    start, called = time.perf_counter_ns(), 0
    done = asyncio.Event()

    def send() -> None:
        nonlocal called
        called += 1
        if called == 50:
            done.set()
        else:
            timer.set(start + called * 100_000)

    async with _timer(send) as timer:
        timer.set(start)
        await done.wait()
        assert time.perf_counter_ns() >= start + 49 * 100_000


async def test_set_anew() -> None:
    """The moment set last is the one that counts, also where the loop has not yet come to the one before."""
    called: list[int] = []
    async with _timer(lambda: called.append(time.perf_counter_ns())) as timer:
        timer.set(time.perf_counter_ns())
        due = time.perf_counter_ns() + 5 * MILLISECOND
        timer.set(due)
        timer._expired()  # as the loop would for the one before
        assert called == []
        await eventually(lambda: called, "the call")
        assert called[0] >= due


async def test_cancelled() -> None:
    """Who was cancelled while waiting leaves nothing behind that would wake the next too early."""
    async with _timer() as timer:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(timer.until(time.perf_counter_ns() + 20 * MILLISECOND), 0.001)
        due = time.perf_counter_ns() + 40 * MILLISECOND
        await timer.until(due)
        assert time.perf_counter_ns() >= due


async def test_close() -> None:
    """A closed timer calls no more and leaves no descriptor open; to close it again is nothing."""
    called: list[bool] = []
    before = os.listdir("/proc/self/fd")
    timer = Timer(lambda: called.append(True))
    timer.set(time.perf_counter_ns())
    timer.close()
    timer.close()
    assert before == os.listdir("/proc/self/fd")
    async with _timer() as other:
        await other.until(time.perf_counter_ns() + MILLISECOND)
    assert called == []


async def test_no_descriptor() -> None:
    """Where the kernel gives none, that is an error, and not a timer that never comes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            Timer()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
