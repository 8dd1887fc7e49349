"""Taking connections out of a queue."""

import asyncio
import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from stentor_chassis.address import Address
from stentor_server.path import acceptor as acceptor_module
from stentor_server.path.acceptor import BATCH, Acceptor
from stentor_server.path.poller import Handler, Poller
from unit.looping import Events, eventually

BRIEF = 0.01
# The errors of accept(2) that are one caller's.
OF_THE_CALLER = [
    *(errno.ECONNABORTED, errno.EPROTO, errno.ENETDOWN, errno.ENOPROTOOPT, errno.EHOSTDOWN, errno.ENONET),
    *(errno.EHOSTUNREACH, errno.EOPNOTSUPP, errno.ENETUNREACH, errno.EPERM),
]


class Listener(socket.socket):
    """A listener that has trouble first."""

    def __init__(self, family: int = socket.AF_INET) -> None:
        """Have no trouble yet."""
        super().__init__(family, socket.SOCK_STREAM)
        self.troubles: list[int] = []
        self.asked = 0

    def _accept(self) -> tuple[int, Any]:
        """Fail by the next of `troubles`, or accept."""
        self.asked += 1
        if self.troubles:
            number = self.troubles.pop(0)
            raise OSError(number, os.strerror(number))
        accepted: tuple[int, Any] = super()._accept()  # type: ignore[misc]
        return accepted


class Door:
    """An acceptor, and what it has let in."""

    def __init__(self, events: Events, path: str | None = None) -> None:
        """Listen on loopback, or at a path."""
        self.arrived: list[tuple[socket.socket, Address]] = []
        self.errors: list[Exception] = []
        self.listener = Listener(socket.AF_INET if path is None else socket.AF_UNIX)
        self.listener.bind(("127.0.0.1", 0) if path is None else path)
        self.listener.listen(200)
        self.address = self.listener.getsockname()
        self.poller = Poller(self._note)
        self.acceptor = Acceptor(self.listener, self.poller, self._arrive, events.logger)
        self.callers: list[socket.socket] = []

    def _note(self, _handler: Handler, error: Exception) -> None:
        self.errors.append(error)

    def _arrive(self, fd: int, address: Address) -> None:
        self.arrived.append((socket.socket(fileno=fd), address))

    def knock(self, times: int = 1) -> socket.socket:
        """Connect, several times; return the last."""
        for _ in range(times):
            self.callers.append(socket.socket(self.listener.family, socket.SOCK_STREAM))
            self.callers[-1].connect(self.address)
        return self.callers[-1]


@contextmanager
def _door(events: Events, path: str | None = None) -> Iterator[Door]:
    door = Door(events, path)
    try:
        yield door
    finally:
        door.poller.close()
        for each in (door.listener, *door.callers, *(stream for stream, _ in door.arrived)):
            each.close()
    assert door.errors == []


async def test_hands_over(events: Events) -> None:
    """Each connection is handed over with the address of its caller, once."""
    with _door(events) as door:
        callers = [door.knock() for _ in range(3)]
        await eventually(lambda: len(door.arrived) == 3, "all to arrive")
        assert [caller.getsockname() for caller in callers] == [address for _, address in door.arrived]
        for caller, (stream, _) in zip(callers, door.arrived, strict=True):
            caller.send(b"hello")
            assert stream.recv(64) == b"hello"


async def test_unix_callers_have_no_address(events: Events, tmp_path: Path) -> None:
    """A caller on a Unix socket has no address, even if it has bound one."""
    with _door(events, str(tmp_path / "door")) as door:
        door.callers.append(socket.socket(socket.AF_UNIX))
        door.callers[0].bind(str(tmp_path / "caller"))
        door.callers[0].connect(door.address)
        await eventually(lambda: door.arrived, "it to arrive")
        assert door.arrived[0][1] == ()


async def test_batch(events: Events) -> None:
    """In one go no more are taken than a batch, and the others in the next."""
    with _door(events) as door:
        door.knock(BATCH + 5)
        door.poller.poll()
        assert len(door.arrived) == BATCH
        door.poller.poll()
        assert len(door.arrived) == BATCH + 5


async def test_accept_queued(events: Events) -> None:
    """All that wait are taken in one go, but no more than asked for."""
    with _door(events) as door:
        door.knock(BATCH + 5)
        door.acceptor.accept_queued(3)
        assert len(door.arrived) == 3
        door.acceptor.accept_queued(BATCH + 2)
        assert len(door.arrived) == BATCH + 5
        door.acceptor.accept_queued(10)
        assert len(door.arrived) == BATCH + 5


@pytest.mark.parametrize("number", OF_THE_CALLER)
async def test_caller_that_has_gone(events: Events, number: int) -> None:
    """A connection that has failed while it waited costs nothing but itself."""
    with _door(events) as door:
        door.listener.troubles = [number, number]
        door.knock()
        door.poller.poll()
        assert len(door.arrived) == 1
        assert events.find("listener.paused") == []


@pytest.mark.parametrize(
    "number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EACCES, errno.EINVAL]
)
async def test_trouble_that_may_last(events: Events, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """What is no single caller's, such as no descriptors, makes it pause, say so, and go on with nobody lost."""
    monkeypatch.setattr(acceptor_module, "PAUSE_SECONDS", BRIEF)
    with _door(events) as door:
        door.listener.troubles = [number] * 2
        door.knock(2)
        door.poller.poll()
        for _ in range(3):
            door.poller.poll()
        assert (door.listener.asked, door.arrived) == (1, [])
        (paused,) = events.find("listener.paused", log_level="error")
        assert (paused["message"], paused["timeout_seconds"]) == (os.strerror(number), BRIEF)
        await eventually(lambda: len(door.arrived) == 2, "both to be taken at last")
        assert len(events.find("listener.paused")) == 2
        door.knock()
        await eventually(lambda: len(door.arrived) == 3, "another, as before")


async def test_accept_queued_of_callers_that_have_gone(events: Events) -> None:
    """One that has gone counts among those that are taken, so that an error which stays is no endless loop."""
    with _door(events) as door:
        door.listener.troubles = [errno.EPERM] * 100
        door.acceptor.accept_queued(10)
        assert door.listener.asked == 10


async def test_exhaustion_that_outlasts_the_pause(events: Events, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where epoll has no room for the listener after a pause, it pauses again, and does not give it up."""
    monkeypatch.setattr(acceptor_module, "PAUSE_SECONDS", BRIEF)
    with _door(events) as door:
        door.listener.troubles = [errno.ENOMEM]
        door.knock()
        with monkeypatch.context() as patch:
            patch.setattr(Poller, "watch", _no_room)
            door.poller.poll()
            await eventually(lambda: len(events.find("listener.paused")) == 3, "two failures to go on")
        await eventually(lambda: len(door.arrived) == 1, "it to be taken at last")


def _no_room(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


async def test_exhausted_at_the_end(events: Events) -> None:
    """While it pauses, and still has no descriptors, it can be told to take all that wait, and to close."""
    with _door(events) as door:
        door.listener.troubles = [errno.EMFILE] * 3
        door.knock()
        door.poller.poll()
        door.acceptor.accept_queued(10)
        door.acceptor.accept_queued(10)
        assert len(events.find("listener.paused")) == 1
        door.acceptor.close()
        assert door.listener.fileno() == -1


async def test_close(events: Events) -> None:
    """Closed, its copy of the socket is gone, and it takes nobody."""
    with _door(events) as door:
        door.acceptor.close()
        assert door.listener.fileno() == -1
        assert door.poller._handlers == {}
        with pytest.raises(ConnectionRefusedError):
            door.knock()


async def test_close_while_it_pauses(events: Events, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closed during a pause, it does not come back."""
    monkeypatch.setattr(acceptor_module, "PAUSE_SECONDS", BRIEF)
    with _door(events) as door:
        door.listener.troubles = [errno.EMFILE]
        door.knock()
        door.poller.poll()
        door.acceptor.close()
        await asyncio.sleep(3 * BRIEF)
        assert door.poller._handlers == {}
