"""Abandoning a connection that stalls."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from lying import Behaviour, LyingServer, stay_silent
from stentor_client.account import Account
from stentor_client.verify.outcomes import Outcome
from stentor_client.verify.verifier import GOOD
from stentor_client.wire.connection import Connection
from stentor_client.wire.dialer import Dialer, DialOptions
from stentor_client.wire.stall_watcher import StallWatcher
from unit.looping import eventually

MESSAGE = b"a message of some bytes"
REPLY = [(MESSAGE.upper(), 0, len(MESSAGE))]


@asynccontextmanager
async def _connected(behaviour: Behaviour) -> AsyncIterator[tuple[Connection, Account]]:
    with LyingServer(behaviour) as server:
        account = Account()
        dialer = Dialer(DialOptions(target=server.target, connect_timeout_seconds=10.0))
        connection, _ = await dialer.dial(lambda: Connection(account))
        try:
            yield connection, account
        finally:
            await connection.abandon(Outcome.EOF)


async def test_nothing_moves() -> None:
    """A wait ends with the outcome that says why, and not before the time-out."""
    async with _connected(stay_silent) as (connection, account):
        connection.write(MESSAGE, REPLY)
        begun = asyncio.get_running_loop().time()
        verdict = await StallWatcher(connection, account, 0.2).during(connection.verdict())
        assert asyncio.get_running_loop().time() - begun >= 0.19
        assert (verdict.outcome, verdict.offset, connection.lost_by) == (Outcome.TIMEOUT, 0, Outcome.TIMEOUT)


async def test_slow_reply() -> None:
    """A reply that lasts longer than the time-out, but never stalls, is waited for."""

    def trickle(connection: socket.socket) -> None:
        for value in connection.recv(100).upper():
            connection.sendall(bytes([value]))
            threading.Event().wait(0.1)

    async with _connected(trickle) as (connection, account):
        connection.write(MESSAGE, REPLY)
        assert await StallWatcher(connection, account, 1.5).during(connection.verdict()) is GOOD


async def test_slow_reader() -> None:
    """One large write that the peer reads slowly is progress, though no reply arrives meanwhile."""
    message = bytes(24 << 20)
    taken = 0

    def read_slowly(connection: socket.socket) -> None:
        nonlocal taken
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        while taken < len(message):
            taken += len(connection.recv(1 << 20))
            threading.Event().wait(0.06)
        connection.sendall(message)

    async with _connected(read_slowly) as (connection, account):
        connection.write(message, [(message, 0, len(message))])
        assert await StallWatcher(connection, account, 1.0).during(connection.verdict()) is GOOD


async def test_nothing_due(monkeypatch: pytest.MonkeyPatch) -> None:
    """While nothing is due the time-out does not run; after the work, good or not, it does not run either."""
    due, looks = False, 0

    def is_due() -> bool:
        nonlocal looks
        looks += 1
        return due

    async def work(result: int) -> int:
        return 1 // result

    async with _connected(stay_silent) as (connection, account):
        before = asyncio.all_tasks()
        watcher = StallWatcher(connection, account, 0.04, is_due)
        assert await watcher.during(work(1)) == 1
        with pytest.raises(ZeroDivisionError):
            await watcher.during(work(0))
        monkeypatch.setattr(account, "row", None)
        with pytest.raises(TypeError):  # an error of the watcher ends work that would last
            await watcher.during(asyncio.Event().wait())
        monkeypatch.undo()
        assert asyncio.all_tasks() == before
        watching = asyncio.create_task(watcher.watch())
        await eventually(lambda: looks > 10, "more looks than a time-out has")
        assert connection.lost_by is None
        due = True
        await watching
        assert connection.lost_by is Outcome.TIMEOUT
