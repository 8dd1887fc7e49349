"""Giving a connection up on which nothing moves."""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable

import pytest

from lying import Behaviour, LyingServer, stay_silent
from stentor_client.account import Account
from stentor_client.verify.outcomes import Outcome
from stentor_client.verify.verifier import GOOD, Verdict
from stentor_client.wire.connection import Connection
from stentor_client.wire.dialer import Dialer, DialOptions
from stentor_client.wire.stall_watcher import StallWatcher
from unit.looping import eventually

MESSAGE = b"a message of some bytes"
REPLY = [(MESSAGE.upper(), 0, len(MESSAGE))]


async def _with_connection(behaviour: Behaviour, scenario: Callable[[Connection, Account], Awaitable[None]]) -> None:
    with LyingServer(behaviour) as server:
        account = Account()
        dialer = Dialer(DialOptions(target=server.target, connect_timeout_seconds=10.0))
        connection, _ = await dialer.dial(lambda: Connection(account))
        try:
            await scenario(connection, account)
        finally:
            await connection.abandon(Outcome.EOF)


async def test_nothing_moves() -> None:
    """What waits is ended, with the outcome that says why, and not before the time-out is over."""

    async def scenario(connection: Connection, account: Account) -> None:
        connection.write(MESSAGE, REPLY)
        begun = asyncio.get_running_loop().time()
        verdict = await StallWatcher(connection, account, 0.2).during(connection.verdict())
        assert asyncio.get_running_loop().time() - begun >= 0.19
        assert (verdict.outcome, verdict.offset, connection.lost_by) == (Outcome.TIMEOUT, 0, Outcome.TIMEOUT)

    await _with_connection(stay_silent, scenario)


async def test_slow_is_not_still() -> None:
    """A reply that takes longer than the time-out, and never stands still so long, is waited for."""

    def trickle(connection: socket.socket) -> None:
        for value in connection.recv(100).upper():
            connection.sendall(bytes([value]))
            threading.Event().wait(0.1)

    async def scenario(connection: Connection, account: Account) -> None:
        connection.write(MESSAGE, REPLY)
        assert await StallWatcher(connection, account, 1.5).during(connection.verdict()) is GOOD

    await _with_connection(trickle, scenario)


async def test_message_that_moves() -> None:
    """One write of many bytes that the peer takes slowly moves, though nobody looks at it and no reply comes."""
    message = bytes(24 << 20)
    taken = 0

    def read_slowly(connection: socket.socket) -> None:
        nonlocal taken
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        while taken < len(message):
            taken += len(connection.recv(1 << 20))
            threading.Event().wait(0.06)
        connection.sendall(message)

    async def scenario(connection: Connection, account: Account) -> None:
        connection.write(message, [(message, 0, len(message))])
        assert await StallWatcher(connection, account, 1.0).during(connection.verdict()) is GOOD

    await _with_connection(read_slowly, scenario)


async def test_nothing_due() -> None:
    """While nothing is due nothing is given up, and the time-out runs from when something is."""

    async def scenario(connection: Connection, account: Account) -> None:
        looks = 0
        due = False

        def is_due() -> bool:
            nonlocal looks
            looks += 1
            return due

        watching = asyncio.create_task(StallWatcher(connection, account, 0.04, is_due).watch())
        await eventually(lambda: looks > 10, "more looks than a time-out has")
        assert connection.lost_by is None
        due = True
        await watching
        assert connection.lost_by is Outcome.TIMEOUT

    await _with_connection(stay_silent, scenario)


async def test_watches_no_longer_than_the_work() -> None:
    """After the work, whether it went well or not, nothing is given up any more."""

    async def fail() -> Verdict:
        raise ZeroDivisionError

    async def well() -> int:
        return 1

    async def scenario(connection: Connection, account: Account) -> None:
        before = asyncio.all_tasks()
        watcher = StallWatcher(connection, account, 0.01)
        assert await watcher.during(well()) == 1
        with pytest.raises(ZeroDivisionError):
            await watcher.during(fail())
        await eventually(lambda: asyncio.all_tasks() == before, "the end of the watching")
        assert connection.lost_by is None

    await _with_connection(stay_silent, scenario)
