"""Timers of the kernel."""

import asyncio
import contextlib
import resource
import time

import pytest

from stentor_client.timing.timer import Timer
from unit.looping import eventually

MILLISECOND = 1_000_000


async def test_until() -> None:
    """It wakes, and never before the moment, even a cancelled wait before it; a past moment wakes at once."""
    with contextlib.closing(Timer()) as timer:
        for number in range(20):
            due = time.perf_counter_ns() + 2 * MILLISECOND + number * 50_000
            await timer.until(due)
            assert time.perf_counter_ns() >= due
        waiting = asyncio.create_task(timer.until(time.perf_counter_ns() + 20 * MILLISECOND))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        due = time.perf_counter_ns() + 40 * MILLISECOND
        await timer.until(due)
        assert time.perf_counter_ns() >= due
        for past in (0, due):
            await timer.until(past)


async def test_callback() -> None:
    """The callback is called once for each moment that was set, at or after it; the last one set counts."""
    called: list[int] = []
    with contextlib.closing(Timer(lambda: called.append(time.perf_counter_ns()))) as timer:
        for count in range(1, 4):
            timer.set(time.perf_counter_ns())
            due = time.perf_counter_ns() + 5 * MILLISECOND
            timer.set(due)
            await eventually(lambda count=count: len(called) >= count, "the call")  # type: ignore[misc]
            assert called[-1] >= due
    assert len(called) == 3


async def test_set_again_while_due() -> None:
    """A timer that has expired, and is set again before its callback is called, expires at the new moment only."""
    called: list[int] = []
    due = time.perf_counter_ns() + 5 * MILLISECOND
    with contextlib.closing(Timer(lambda: second.set(due))) as first:
        second = Timer(lambda: called.append(time.perf_counter_ns()))
        with contextlib.closing(second):
            first.set(0)
            second.set(0)  # the loop sees both in the same turn, in this order
            await eventually(lambda: called, "the call")
    assert called[0] >= due
    assert len(called) == 1


async def test_close() -> None:
    """A closed timer calls no more; closing it again does nothing."""
    called: list[bool] = []
    timer = Timer(lambda: called.append(True))
    timer.set(0)
    timer.close()
    timer.close()
    with contextlib.closing(Timer()) as other:
        await other.until(time.perf_counter_ns() + MILLISECOND)
    assert called == []


async def test_no_descriptor() -> None:
    """If the kernel has no descriptor left, that is an error, and not a timer that never expires."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            Timer()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
