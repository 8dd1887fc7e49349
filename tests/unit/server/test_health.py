"""The server's health check of itself."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from prometheus_client import CollectorRegistry

from lying import LyingServer, close_early, flip
from stentor_chassis.admin.endpoint import Admin
from stentor_chassis.failure import COULD_NOT_START, Failure
from stentor_server.health import Health
from unit.looping import Events
from unit.server.authority import Authority
from unit.server.serving import LOOPBACK, Serving

NewServing = Callable[..., Serving]
TIMEOUT = 5.0


@asynccontextmanager
async def _admin(*, ready: bool, hear: Callable[[Mapping[str, str]], None] = lambda _: None) -> AsyncIterator[int]:
    """Yield the port of an admin endpoint that says whether it is ready, and hears what it is told."""
    admin = Admin(CollectorRegistry(), lambda: ready, dict, hear)
    url = await admin.start("127.0.0.1", 0)
    try:
        yield urlsplit(url).port or 0
    finally:
        await admin.stop()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


async def _check(port: int, admin_port: int, **changes: Any) -> None:
    plain: dict[str, Any] = {
        "host": LOOPBACK,
        "port": port,
        "unix": None,
        "transform": "upper",
        "tls_cert": None,
        "tls_key": None,
        "proxy_protocol": "off",
        "admin_host": LOOPBACK,
        "admin_port": admin_port,
        "timeout": TIMEOUT,
    }
    await asyncio.to_thread(Health(**plain | changes).check)


async def _check_server(server: Serving, **changes: Any) -> None:
    async with _admin(ready=True) as admin_port:
        await _check(server.address[1], admin_port, **changes)


@pytest.mark.parametrize("transform", ["upper", "echo"])
@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "", "127.0.0.1,192.0.2.1", "0.0.0.0,::"])
async def test_healthy(serving: NewServing, transform: str, host: str) -> None:
    """A server that answers as it should and is ready is healthy; of several addresses the first is asked."""
    async with serving(transform=transform) as server:
        await _check_server(server, transform=transform, host=host, admin_host=host.partition(",")[0])
        assert (server.accepted, server.sent) == (1, 2)


async def test_over_the_unix_socket(serving: NewServing, events: Events) -> None:
    """Where there is a Unix socket it is asked there, plainly, whatever is spoken elsewhere."""
    async with serving(proxy_protocol="v1", proxy_from=("192.0.2.1/32",)) as server:
        await _check_server(server, unix=server.path, host="no.such.host.", proxy_protocol="v1")
        await server.until(lambda: events.find("connection.closed", peer="unix", sent_bytes=2), "the exchange")


async def test_no_unix_socket(serving: NewServing, tmp_path: Path) -> None:
    """A Unix socket that is not there is named."""
    async with serving() as server:
        path = str(tmp_path / "elsewhere")
        with pytest.raises(Failure, match=f"no exchange with {path}: .*No such file"):
            await _check_server(server, unix=path)


@pytest.mark.parametrize("one_file", [False, True])
@pytest.mark.parametrize("mutual", [False, True])
async def test_over_tls(
    serving: NewServing, authority: Authority, events: Events, *, one_file: bool, mutual: bool
) -> None:
    """Over TLS it is asked with the server's own certificate, in case it wants one."""
    files = {"tls_cert": authority.both, "tls_key": None} if one_file else {}
    files = files or {"tls_cert": authority.cert, "tls_key": authority.key}
    own = {**files, "tls_key": files["tls_key"] or files["tls_cert"]}
    async with serving(**own, tls_client_ca=authority.ca if mutual else None) as server:
        await _check_server(server, **files)
        await server.until(lambda: events.find("connection.closed", tls="TLSv1.3", sent_bytes=2), "the exchange")


@pytest.mark.parametrize("versions", ["v1", "v2", "any"])
async def test_over_proxy_protocol(serving: NewServing, versions: str) -> None:
    """Where every connection begins with a PROXY header, this one does too."""
    async with serving(proxy_protocol=versions, proxy_from=("127.0.0.1/32",)) as server:
        await _check_server(server, proxy_protocol=versions)
        assert (server.accepted, server.sent, server.rejected()) == (1, 2, 0)


async def test_over_proxy_protocol_and_tls(serving: NewServing, authority: Authority) -> None:
    """The header goes first."""
    files = {"tls_cert": authority.cert, "tls_key": authority.key}
    async with serving(proxy_protocol="v2", proxy_from=("127.0.0.1/32",), **files) as server:
        await _check_server(server, proxy_protocol="v2", **files)
        assert server.sent == 2


async def test_plain_server_that_should_speak_tls(serving: NewServing, authority: Authority) -> None:
    """A server that does not speak TLS, and should, is not healthy."""
    async with serving() as server:
        with pytest.raises(Failure, match=r"no exchange with 127\.0\.0\.1 port"):
            await _check_server(server, tls_cert=authority.cert, tls_key=authority.key)


async def test_certificate_that_is_not_there(serving: NewServing, tmp_path: Path) -> None:
    """Without the certificate there is no exchange, and nothing stays open."""
    async with serving() as server:
        with pytest.raises(Failure, match=r"no exchange with .*No such file"):
            await _check_server(server, tls_cert=str(tmp_path / "gone"))


async def test_refused(serving: NewServing) -> None:
    """A server that refuses connections is not healthy."""
    async with serving(allow=("192.0.2.0/24",)) as server:
        with pytest.raises(Failure, match=r"answered b''|no exchange with"):
            await _check_server(server)


async def test_not_ready(serving: NewServing) -> None:
    """A server that is not ready is not healthy, though it answers."""
    async with serving() as server, _admin(ready=False) as admin_port:
        with pytest.raises(Failure, match=r"not ready \(503\)") as failure:
            await _check(server.address[1], admin_port)
        assert failure.value.code == COULD_NOT_START


@pytest.mark.parametrize("told", [True, False])
async def test_what_it_tells(*, told: bool) -> None:
    """It tells that it begins, and after an answer, right or wrong, what was moved; without one nothing more."""
    heard: list[dict[str, str]] = []

    def answer(connection: socket.socket) -> None:
        assert [*heard] == [{"health_check": "began"}]
        connection.sendall(connection.recv(64)[: 2 if told else 1])

    with LyingServer(answer) as liar:
        async with _admin(ready=True, hear=_note(heard)) as admin_port:
            with pytest.raises(Failure, match="answered b'aZ'" if told else "answered b'a'"):
                await _check(int(liar.target.rpartition(":")[2]), admin_port)
    moved = {"health_check": "ended", "received_bytes": "2", "sent_bytes": "2"}
    assert heard == [{"health_check": "began"}, *([moved] if told else [])]


async def test_admin_endpoint_that_is_another_in_the_end() -> None:
    """The end is not told to a control process that does not know of the beginning."""
    heard: list[dict[str, str]] = []
    loop_ = asyncio.get_running_loop()
    first, second = (Admin(CollectorRegistry(), lambda: True, dict, hear) for hear in (lambda _: None, _note(heard)))
    url = urlsplit(await first.start("127.0.0.1", 0))

    async def restart() -> None:
        await first.stop()
        await second.start("127.0.0.1", url.port or 0)

    def answer(connection: socket.socket) -> None:
        asyncio.run_coroutine_threadsafe(restart(), loop_).result(TIMEOUT)
        connection.sendall(connection.recv(64).upper())

    with LyingServer(answer) as liar, pytest.raises(Failure, match="no answer from"):
        await _check(int(liar.target.rpartition(":")[2]), url.port or 0)
    await second.stop()
    assert heard == []


def _note(heard: list[dict[str, str]]) -> Callable[[Mapping[str, str]], None]:
    return lambda query: heard.append({**query})


async def test_other_transform(serving: NewServing) -> None:
    """A server that answers, but not as it was told to, is not healthy."""
    async with serving(transform="echo") as server:
        with pytest.raises(Failure, match=r"answered b'aZ' to b'aZ'"):
            await _check_server(server)


async def test_answer_in_pieces() -> None:
    """An answer that comes byte by byte is an answer."""

    def answer(connection: socket.socket) -> None:
        connection.recv(64)
        for byte in (b"A", b"Z"):
            connection.sendall(byte)
            threading.Event().wait(0.02)

    with LyingServer(answer) as server:
        async with _admin(ready=True) as admin_port:
            await _check(int(server.target.rpartition(":")[2]), admin_port)


async def test_no_answer() -> None:
    """A server that takes the question and ends without an answer is not healthy."""
    with LyingServer(close_early) as liar:
        async with _admin(ready=True) as admin_port:
            with pytest.raises(Failure, match="answered b''"):
                await _check(int(liar.target.rpartition(":")[2]), admin_port)


async def test_stuck_server() -> None:
    """A server whose queue takes the connection and that does nothing is not healthy, after the timeout."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with _admin(ready=True) as admin_port:
            with pytest.raises(Failure, match=r"no exchange with 127\.0\.0\.1 port .*: timed out"):
                await _check(listener.getsockname()[1], admin_port, timeout=0.1)


async def test_chatterbox() -> None:
    """A server that goes on answering for ever is not healthy, and the check ends."""

    def talk(connection: socket.socket) -> None:
        while True:
            connection.sendall(b"AZ" * 1000)

    with LyingServer(talk) as liar:
        async with _admin(ready=True) as admin_port:
            with pytest.raises(Failure, match="answered b'AZAZ"):
                await _check(int(liar.target.rpartition(":")[2]), admin_port)


async def test_host_that_is_none() -> None:
    """A host that cannot be a name is not healthy."""
    async with _admin(ready=True) as admin_port:
        with pytest.raises(Failure, match=r"no exchange with a\.\.b port 1: "):
            await _check(1, admin_port, host="a..b")


async def test_no_server() -> None:
    """Where nothing listens, nothing is healthy."""
    async with _admin(ready=True) as admin_port:
        with pytest.raises(Failure, match=r"no exchange with 127\.0\.0\.1 port .*refused"):
            await _check(_free_port(), admin_port)


async def test_no_admin_endpoint(serving: NewServing) -> None:
    """A server whose control process does not answer is not healthy."""
    async with serving() as server:
        with pytest.raises(Failure, match=r"no answer from 127\.0\.0\.1 port [0-9]+: Connection refused"):
            await _check(server.address[1], _free_port())


@pytest.mark.parametrize("admin_host", ["two words", "a\n"])
async def test_admin_host_that_is_none(admin_host: str) -> None:
    """It is reported in one line that names the option."""
    with pytest.raises(Failure, match="is not a host name: check --admin-host"):
        await _check(1, 1, admin_host=admin_host)


async def test_admin_endpoint_that_is_none(serving: NewServing) -> None:
    """Something that does not speak HTTP on the admin port is not healthy."""
    with LyingServer(flip) as liar:
        async with serving() as server:
            port = server.address[1]
            with pytest.raises(Failure, match=r"no answer from 127\.0\.0\.1 port"):
                await _check(port, int(liar.target.rpartition(":")[2]))
