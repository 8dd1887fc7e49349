"""Accepting connections from a listener."""

import asyncio
import errno
import os
import socket
from typing import Any

import pytest

from stentor_chassis.address import Address
from stentor_server.path import acceptor as acceptor_module
from stentor_server.path.acceptor import BATCH, Acceptor
from stentor_server.path.poller import Handler, Poller, running_poller
from unit.looping import Events, eventually

BRIEF = 0.01


class Listener(socket.socket):
    """A listener that fails first."""

    errors: list[int]
    calls = 0

    def _accept(self) -> tuple[int, Any]:
        """Fail with the next of `errors`, or accept."""
        self.calls += 1
        if self.errors:
            number = self.errors.pop(0)
            raise OSError(number, os.strerror(number))
        accepted: tuple[int, Any] = super()._accept()  # type: ignore[misc]
        return accepted


class Door:
    """An acceptor, and what it has accepted."""

    def __init__(self, events: Events, path: str | None = None) -> None:
        """Listen on loopback, or at a path; needs a running loop."""
        self.accepted: list[tuple[socket.socket, Address]] = []
        self.bugs: list[Exception] = []
        self.listener = Listener(socket.AF_INET if path is None else socket.AF_UNIX)
        self.listener.errors = []
        self.listener.bind(("127.0.0.1", 0) if path is None else path)
        self.listener.listen(200)
        self.address = self.listener.getsockname()
        self.poller = running_poller()
        self.poller.on_error = self._on_bug
        self.acceptor = Acceptor(self.listener, self.poller, self._on_accept, events.logger)
        self.clients: list[socket.socket] = []

    def _on_bug(self, _handler: Handler, error: Exception) -> None:
        self.bugs.append(error)

    def _on_accept(self, fd: int, address: Address) -> None:
        self.accepted.append((socket.socket(fileno=fd), address))

    def connect(self, times: int = 1) -> socket.socket:
        """Connect, several times; return the last."""
        for _ in range(times):
            self.clients.append(socket.socket(self.listener.family, socket.SOCK_STREAM))
            self.clients[-1].connect(self.address)
        return self.clients[-1]

    def close(self) -> None:
        """Close everything; there must have been no bug."""
        for each in (self.listener, *self.clients, *(stream for stream, _ in self.accepted)):
            each.close()
        assert self.bugs == []


@pytest.fixture
async def door(events: Events, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An acceptor on loopback."""
    monkeypatch.setattr(acceptor_module, "PAUSE_SECONDS", BRIEF)
    door = Door(events)
    yield door
    door.close()


async def test_connections(door: Door) -> None:
    """Each connection is passed on once, with the address of its client; no more than a batch at once."""
    client = door.connect()
    door.connect(BATCH + 4)
    door.poller.poll()
    assert len(door.accepted) == BATCH
    door.poller.poll()
    assert [each.getsockname() for each in door.clients] == [address for _, address in door.accepted]
    client.send(b"hello")
    assert door.accepted[0][0].recv(64) == b"hello"


async def test_accept_queued(door: Door) -> None:
    """All queued connections are accepted at once, but no more than asked for, lost ones included."""
    door.connect(BATCH + 5)
    door.acceptor.accept_queued(3)
    assert len(door.accepted) == 3
    door.acceptor.accept_queued(BATCH + 5)
    assert len(door.accepted) == BATCH + 5
    door.listener.errors, door.listener.calls = [errno.EPERM] * 100, 0
    door.acceptor.accept_queued(10)
    assert door.listener.calls == 10


@pytest.mark.parametrize("number", [errno.ECONNABORTED, errno.EPROTO, errno.EPERM])
async def test_lost_connection(door: Door, events: Events, number: int) -> None:
    """A connection that failed in the queue costs nothing but itself."""
    door.listener.errors = [number, number]
    door.connect()
    door.poller.poll()
    assert len(door.accepted) == 1
    assert events.find("listener.paused") == []


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENOMEM, errno.EINVAL])
async def test_lasting_error(door: Door, events: Events, number: int) -> None:
    """After an error that may last, such as no descriptors, it pauses, logs that, and goes on with nobody lost."""
    door.listener.errors = [number] * 2
    door.connect(2)
    for _ in range(4):
        door.poller.poll()
    assert (door.listener.calls, door.accepted) == (1, [])
    (paused,) = events.find("listener.paused", log_level="error")
    assert (paused["message"], paused["timeout_seconds"]) == (os.strerror(number), BRIEF)
    await eventually(lambda: len(door.accepted) == 2, "both to be accepted at last")
    assert len(events.find("listener.paused")) == 2
    door.connect()
    await eventually(lambda: len(door.accepted) == 3, "another, as before")


async def test_no_room_after_a_pause(door: Door, events: Events, monkeypatch: pytest.MonkeyPatch) -> None:
    """If epoll has no room for the listener after a pause, it pauses again."""

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    door.listener.errors = [errno.ENOMEM]
    door.connect()
    with monkeypatch.context() as patch:
        patch.setattr(Poller, "watch", fail)
        door.poller.poll()
        await eventually(lambda: len(events.find("listener.paused")) == 3, "two failures to go on")
    await eventually(lambda: len(door.accepted) == 1, "it to be accepted at last")


@pytest.mark.parametrize("paused", [False, True])
async def test_close(door: Door, events: Events, *, paused: bool) -> None:
    """Closed, also during a pause in which the error persists, its copy of the socket is gone, and it stays closed."""
    if paused:
        door.listener.errors = [errno.EMFILE] * 3
        door.connect()
        door.poller.poll()
        door.acceptor.accept_queued(10)
        door.acceptor.accept_queued(10)
    assert len(events.find("listener.paused")) == paused
    door.acceptor.close()
    assert door.listener.fileno() == -1
    await asyncio.sleep(3 * BRIEF)
    assert len(door.poller._handlers) == 1  # of the event loop itself
    with pytest.raises(ConnectionRefusedError):
        door.connect()
