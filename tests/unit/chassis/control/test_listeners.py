"""Listening sockets."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stentor_chassis.address import Address
from stentor_chassis.control import listeners
from stentor_chassis.control.listeners import UNSENT_BYTES, Listeners, bind_tcp, bind_unix
from stentor_chassis.failure import COULD_NOT_START, Failure

BACKLOG = 16


@contextmanager
def _bound(*hosts: str, port: int = 0, copies: int = 1) -> Iterator[list[list[socket.socket]]]:
    sockets = bind_tcp(hosts or ["127.0.0.1"], port, copies, BACKLOG)
    try:
        yield sockets
    finally:
        for each in (one for own in sockets for one in own):
            each.close()


def _connects(address: object) -> bool:
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as caller:
        try:
            caller.connect(address)  # type: ignore[arg-type]
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        return True


@pytest.fixture
def two_addresses(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Makes the name `both` mean two addresses of loopback."""
    hosts, resolve = ["127.0.0.1", "127.0.0.2"], socket.getaddrinfo

    def of_both(host: str, port: int, **hints: int) -> object:
        assert host == "both"
        return [each for one in hosts for each in resolve(one, port, **hints)]

    monkeypatch.setattr(socket, "getaddrinfo", of_both)
    return hosts


def test_one_port_for_all_copies() -> None:
    """Port 0 takes a free port, the same for every copy, and each copy accepts."""
    with _bound(copies=3) as copies:
        addresses = {each.getsockname() for own in copies for each in own}
        assert [len(own) for own in copies] == [1, 1, 1]
        assert len(addresses) == 1
        assert all(each.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT) for own in copies for each in own)
        assert _connects(addresses.pop())


def test_one_port_for_all_addresses(two_addresses: list[str]) -> None:
    """A name with several addresses gets a socket on each, for every copy, all on one port."""
    with _bound("both", copies=2) as copies:
        for own in copies:
            assert two_addresses == [each.getsockname()[0] for each in own]
        assert len({each.getsockname()[1] for own in copies for each in own}) == 1


def test_several_hosts() -> None:
    """Several hosts get a socket on each of their addresses, in their order, all on one port, for every copy."""
    with _bound("127.0.0.3", "127.0.0.1", copies=2) as copies:
        for own in copies:
            assert [each.getsockname()[0] for each in own] == ["127.0.0.3", "127.0.0.1"]
        assert len({each.getsockname()[1] for own in copies for each in own}) == 1


def test_host_named_twice() -> None:
    """A host that is named twice, or of which another is but another name, is bound once."""
    with _bound("127.0.0.1", "127.0.0.1") as ((listener,),):
        assert _connects(listener.getsockname())


def test_one_of_several_hosts_that_does_not_resolve() -> None:
    """When one of several hosts cannot be resolved, that one is named, and nothing is bound."""
    with pytest.raises(Failure, match=r"cannot resolve the host to listen on, 'a\.\.b'"):
        bind_tcp(["127.0.0.1", "a..b"], 0, 1, BACKLOG)


def test_repeated_addresses_are_bound_once(two_addresses: list[str]) -> None:
    """A name that resolves to an address twice gets one socket on it."""
    two_addresses[1] = two_addresses[0]
    with _bound("both") as ((listener,),):
        assert two_addresses[0] == listener.getsockname()[0]


def test_waiting_connections_outlive_a_worker() -> None:
    """A connection in the queue of a copy is accepted by whoever inherits the copy."""
    with _bound() as ((listener,),), socket.create_connection(listener.getsockname()) as caller:
        caller.sendall(b"waiting")
        with socket.socket(fileno=os.dup(listener.fileno())) as inherited:
            inherited.setblocking(True)
            accepted, _ = inherited.accept()
            with accepted:
                assert accepted.recv(64) == b"waiting"


@pytest.mark.parametrize(
    ("level", "name", "value"),
    [
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
        (socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES),
    ],
    ids=["a peer that vanished is noticed", "small answers go out at once", "the kernel holds little for a slow peer"],
)
def test_options_of_accepted_sockets(level: int, name: int, value: int) -> None:
    """What is accepted inherits the options of its listener."""
    with _bound() as ((listener,),), socket.create_connection(listener.getsockname()):
        listener.setblocking(True)
        accepted, _ = listener.accept()
        with accepted:
            assert value == accepted.getsockopt(level, name)


@pytest.mark.parametrize("reuse", [False, True], ids=["plain", "reuse port"])
def test_port_in_use(reuse: bool) -> None:  # noqa: FBT001
    """A port on which somebody listens is never shared with them, even if they would let us."""
    with socket.socket() as other:
        if reuse:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(Failure, match=f"cannot listen on 127.0.0.1 port {port}: Address already in use") as failure:
            bind_tcp(["127.0.0.1"], port, 2, BACKLOG)
        assert failure.value.code == COULD_NOT_START


def test_port_of_a_server_just_stopped() -> None:
    """The port of one that listened a moment ago and left connections in TIME_WAIT can be taken."""
    with _bound() as ((listener,),):
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as caller:
            listener.setblocking(True)
            accepted, _ = listener.accept()
            accepted.close()
            assert caller.recv(1) == b""
    with _bound(port=port) as ((again,),):
        assert port == again.getsockname()[1]


def test_failure_leaves_nothing_open(two_addresses: list[str]) -> None:
    """When one of several addresses cannot be had, those bound before it are let go."""
    with _bound("both") as ((first, second),):
        address = first.getsockname()
        first.close()
        with pytest.raises(Failure, match=f"cannot listen on {two_addresses[1]}"):
            bind_tcp(["both"], address[1], 2, BACKLOG)
        assert not _connects(address)
        assert _connects(second.getsockname())


@pytest.mark.parametrize("host", ["no.such.name." * 20, "", "a..b", "a" * 70], ids=["long", "empty", "gap", "label"])
def test_host_that_does_not_resolve(host: str) -> None:
    """A host that cannot be resolved, or cannot even be a name, ends with one line that names it."""
    with pytest.raises(Failure, match="cannot resolve the host to listen on") as failure:
        bind_tcp([host], 0, 1, BACKLOG)
    assert failure.value.code == COULD_NOT_START
    assert repr(host) in failure.value.message


def test_address_of_another_machine() -> None:
    """An address that is not this machine's cannot be bound."""
    with pytest.raises(Failure, match=r"cannot listen on 192\.0\.2\.1 port 0"):
        bind_tcp(["192.0.2.1"], 0, 1, BACKLOG)


def test_unix_socket(tmp_path: Path) -> None:
    """A Unix socket accepts at its path."""
    path = str(tmp_path / "socket")
    with bind_unix(path, BACKLOG) as listener:
        assert path == listener.getsockname()
        assert _connects(path)


def test_stale_unix_socket_is_replaced(tmp_path: Path) -> None:
    """A socket file that nobody answers, left by one that was killed, is no obstacle."""
    path = str(tmp_path / "socket")
    bind_unix(path, BACKLOG).close()
    assert os.path.exists(path)
    with bind_unix(path, BACKLOG):
        assert _connects(path)


def test_unix_socket_in_use(tmp_path: Path) -> None:
    """A Unix socket on which somebody listens is left to them."""
    path = str(tmp_path / "socket")
    with bind_unix(path, BACKLOG):
        with pytest.raises(Failure, match="Address already in use"):
            bind_unix(path, BACKLOG)
        assert _connects(path)


def test_file_is_not_replaced(tmp_path: Path) -> None:
    """A file that is no socket is neither bound nor removed."""
    path = tmp_path / "precious"
    path.write_text("precious")
    with pytest.raises(Failure, match="exists and is not a socket") as failure:
        bind_unix(str(path), BACKLOG)
    assert failure.value.code == COULD_NOT_START
    assert path.read_text() == "precious"


@pytest.mark.parametrize("path", ["missing/socket", "long" * 50])
def test_impossible_path(tmp_path: Path, path: str) -> None:
    """A path that cannot be bound is named in the failure."""
    with pytest.raises(Failure, match=path):
        bind_unix(str(tmp_path / path), BACKLOG)


def test_what_a_worker_inherits(tmp_path: Path) -> None:
    """Each worker inherits its own copies and the shared sockets; the addresses are listed once."""
    unix = bind_unix(str(tmp_path / "socket"), BACKLOG)
    copies = bind_tcp(["127.0.0.1"], 0, 2, BACKLOG)
    with Listeners(copies, [unix]) as listeners:
        assert [copies[0][0].fileno(), unix.fileno()] == listeners.of_worker(0)
        assert [copies[1][0].fileno(), unix.fileno()] == listeners.of_worker(1)
        port = copies[0][0].getsockname()[1]
        assert [f"127.0.0.1:{port}", f"unix:{tmp_path / 'socket'}"] == listeners.addresses


def test_no_listeners() -> None:
    """A service that listens nowhere has workers that inherit nothing."""
    with Listeners([], []) as listeners:
        assert (listeners.of_worker(0), listeners.addresses) == ([], [])


def test_close(tmp_path: Path) -> None:
    """Closed, callers are refused and the socket file is gone; closing again, or without the file, is no error."""
    path = tmp_path / "socket"
    copies = bind_tcp(["127.0.0.1"], 0, 2, BACKLOG)
    address = copies[0][0].getsockname()
    listeners = Listeners(copies, [bind_unix(str(path), BACKLOG)])
    assert _connects(address)
    listeners.close()
    assert not _connects(address)
    assert not path.exists()
    listeners.close()
    with Listeners([], [bind_unix(str(path), BACKLOG)]):
        path.unlink()


def test_close_leaves_the_socket_of_another(tmp_path: Path) -> None:
    """A socket file that another server has put in place of ours is left to it."""
    path = tmp_path / "socket"
    with Listeners([], [bind_unix(str(path), BACKLOG)]) as listeners:
        path.unlink()
        with bind_unix(str(path), BACKLOG):
            listeners.close()
            assert _connects(str(path))


def test_stale_file_that_another_replaced_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket file that nobody answered, and that another server has just replaced, is left to it."""
    path = str(tmp_path / "socket")
    bind_unix(path, BACKLOG).close()
    with socket.socket(socket.AF_UNIX) as other:

        def refused(_caller: socket.socket, address: str) -> None:
            os.unlink(address)
            other.bind(address)
            other.listen()
            raise ConnectionRefusedError

        with monkeypatch.context() as meanwhile:
            meanwhile.setattr(socket.socket, "connect", refused)
            with pytest.raises(Failure, match="Address already in use"):
                bind_unix(path, BACKLOG)
        assert _connects(path)


def test_every_address_and_one_of_them() -> None:
    """Where every address is listened on, one that is named besides is among them; of the other family it is not."""
    with _bound("127.0.0.1", "0.0.0.0", "127.0.0.2") as ((listener,),):
        assert listener.getsockname()[0] == "0.0.0.0"
        assert _connects(("127.0.0.2", listener.getsockname()[1]))
    if socket.has_dualstack_ipv6():
        with _bound("127.0.0.1", "::", "::1", "0.0.0.0") as ((every6, every4),):
            assert [every6.getsockname()[0], every4.getsockname()[0]] == ["::", "0.0.0.0"]


def test_a_free_port_that_is_taken_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the free port of the first address is somebody's on the next, another one is taken for both."""
    bind = listeners._bound
    others: list[socket.socket] = []

    def taking_it_elsewhere(family: int, address: Address, backlog: int) -> socket.socket:
        listener = bind(family, address, backlog)
        if not others:
            others.append(socket.create_server(("127.0.0.2", listener.getsockname()[1])))
        return listener

    monkeypatch.setattr(listeners, "_bound", taking_it_elsewhere)
    with _bound("127.0.0.1", "127.0.0.2") as ((first, second),), others[0] as other:
        assert first.getsockname()[1] == second.getsockname()[1] != other.getsockname()[1]


def test_printable_ipv6() -> None:
    """An address of IPv6 is shown in brackets."""
    if not socket.has_dualstack_ipv6():
        pytest.skip("no IPv6 here")
    with Listeners(bind_tcp(["::1"], 0, 1, BACKLOG), []) as listeners:
        (address,) = listeners.addresses
        assert address.startswith("[::1]:")
