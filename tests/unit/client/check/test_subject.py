"""The path under test."""

import asyncio
import socket
import threading

import pytest

from lying import LyingServer, stay_silent
from stentor_client.check.subject import LEAST_BYTES, Subject, failure_of
from stentor_client.verify.outcomes import ExchangeError, Outcome, Phase
from stentor_client.wire import dialer
from stentor_client.wire.dialer import DialOptions
from unit.client.check.checking import closed_port, honest, subject


async def test_calls_have_numbers_of_their_own() -> None:
    """Each call has its own connection, and its number in its messages."""
    with LyingServer(honest) as server:
        path = subject(server.target)
        async with path.call() as first, path.call() as second:
            assert first.record.local != second.record.local
            (one, _), (two, _) = first.build(64), second.build(64)
            assert one[9:17] == b"00000001"
            assert two[9:17] == b"00000002"
            assert one[:9] == two[:9]


async def test_nobody_there() -> None:
    """A call that cannot be made says why."""
    with pytest.raises(ExchangeError, match="refused") as refused:
        async with subject(closed_port()).call():
            pass
    assert refused.value.phase is Phase.CONNECT


async def test_hangs_up_in_order() -> None:
    """At the end of a call the peer is told so, after it and after what goes wrong in it."""
    ends: list[bytes] = []
    told = threading.Semaphore(0)

    def listen(connection: socket.socket) -> None:
        ends.append(connection.recv(100))
        told.release()

    with LyingServer(listen) as server:
        path = subject(server.target)
        async with path.call():
            pass
        with pytest.raises(ZeroDivisionError):
            async with path.call():
                raise ZeroDivisionError
        for _ in range(2):
            assert await asyncio.to_thread(told.acquire, timeout=10)
    assert ends == [b"", b""]


async def test_peer_that_stays_does_not_hold_up() -> None:
    """A peer that never ends its side does not keep a call from ending."""
    with LyingServer(stay_silent) as server:
        async with subject(server.target).call() as call:
            connection = call.connection
        assert connection.lost_by is not None


@pytest.mark.parametrize(("good", "wanted", "size"), [(1000, 500, 500), (1000, 5000, 1000), (0, 5000, LEAST_BYTES)])
def test_fitting(good: int, wanted: int, size: int) -> None:
    """No message is larger than what comes through, but as large as every check needs."""
    path = subject("127.0.0.1:1")
    path.largest_good = good
    assert size == path.fitting(wanted)


def test_endpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every address of a name is an endpoint, once."""
    hosts = ("127.0.0.2", "127.0.0.3", "127.0.0.2")
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, 80)) for host in hosts]

    async def scenario() -> list[str]:
        async def resolved(*_: object, **__: object) -> list[object]:
            return [*found]

        monkeypatch.setattr(dialer, "look_up", resolved)
        return [str(endpoint) for endpoint in await subject("somewhere:80").endpoints()]

    assert asyncio.run(scenario()) == ["127.0.0.2:80", "127.0.0.3:80"]


def test_unix_socket() -> None:
    """A Unix socket is told from a host."""
    assert subject("unix:/nowhere").is_unix
    assert not subject("127.0.0.1:80").is_unix


async def test_failure_of() -> None:
    """What makes an exchange fail is returned; what is no failure of an exchange is raised."""
    error = ExchangeError(Outcome.RESET, Phase.REPLY, "cut")

    async def failing(what: Exception) -> None:
        raise what

    async def well() -> None:
        pass

    assert await failure_of(failing(error)) is error
    assert await failure_of(well()) is None
    with pytest.raises(ZeroDivisionError):
        await failure_of(failing(ZeroDivisionError()))


def test_name_server_that_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking the name up takes no longer than connecting may."""

    async def scenario() -> None:
        async def never(*_: object, **__: object) -> list[object]:
            await asyncio.Event().wait()
            return []

        monkeypatch.setattr(dialer, "look_up", never)
        path = Subject(DialOptions(target="somewhere:80", connect_timeout_seconds=0.05), "upper", 10.0, LEAST_BYTES)
        async with asyncio.timeout(10):
            await path.endpoints()

    with pytest.raises(ExchangeError, match=r"no connection within 0\.05 s") as late:
        asyncio.run(scenario())
    assert (late.value.outcome, late.value.phase) == (Outcome.CONNECT_TIMEOUT, Phase.RESOLVE)
