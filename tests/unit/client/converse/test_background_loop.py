"""An event loop in a thread of its own."""

import asyncio
import signal
import threading

import pytest

from stentor_client.converse.background_loop import BackgroundLoop


def test_runs_in_another_thread() -> None:
    """What it is given runs elsewhere, and its result comes here."""

    async def where(word: str) -> tuple[str, threading.Thread]:
        await asyncio.sleep(0)
        return word, threading.current_thread()

    with BackgroundLoop() as loop:
        (first, thread), (second, same) = loop.do(where("first")), loop.do(where("second"))
        assert (first, second) == ("first", "second")
        assert thread is same is not threading.current_thread()
    assert not thread.is_alive()


def test_error() -> None:
    """What it raises is raised here."""

    async def fail() -> None:
        raise LookupError("lost")

    with BackgroundLoop() as loop, pytest.raises(LookupError, match="lost"):
        loop.do(fail())


def test_goes_on_meanwhile() -> None:
    """What was started goes on while nobody waits for it."""
    ran = threading.Event()

    async def run() -> int:
        await asyncio.sleep(0)
        ran.set()
        return 7

    with BackgroundLoop() as loop:
        started = loop.start(run())
        assert ran.wait(20)
        assert started.result(20) == 7


def test_what_is_left_is_called_off() -> None:
    """At the end, also one by an error, what still runs is cancelled."""
    begun, cancelled = threading.Event(), threading.Event()

    async def wait() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    def interrupted() -> None:
        with BackgroundLoop() as loop:
            loop.start(wait())
            assert begun.wait(20)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert cancelled.is_set()


def test_interrupt_that_another_thread_receives() -> None:
    """Ctrl-C ends the wait at once, even if its signal does not interrupt a system call of the main thread.

    Another thread can receive it, or it can arrive just before the main thread begins to wait.
    """

    async def interrupt() -> None:
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        await asyncio.sleep(20)
        ended.append("the work")

    ended: list[str] = []
    with BackgroundLoop() as loop, pytest.raises(KeyboardInterrupt):
        loop.do(interrupt())
    assert ended == []
