"""Listening sockets."""

import errno
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stentor_chassis.address import Address
from stentor_chassis.control import listeners
from stentor_chassis.control.listeners import UNSENT_BYTES, Listeners, UnixListener, bind_tcp
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


def test_addresses() -> None:
    """Each copy has a socket for each address, once each, in their order, all with the same free port."""
    with _bound("127.0.0.3", "127.0.0.1", "127.0.0.3", copies=2) as copies:
        for own in copies:
            assert [each.getsockname()[0] for each in own] == ["127.0.0.3", "127.0.0.1"]
        assert len({each.getsockname()[1] for own in copies for each in own}) == 1
        assert all(each.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT) for own in copies for each in own)
        assert _connects(copies[1][0].getsockname())


def test_wildcard_address() -> None:
    """A wildcard address includes all other addresses of its family, and none of the other family."""
    with _bound("127.0.0.1", "0.0.0.0", "127.0.0.2") as ((listener,),):
        assert listener.getsockname()[0] == "0.0.0.0"
        assert _connects(("127.0.0.2", listener.getsockname()[1]))
    if socket.has_dualstack_ipv6():
        with _bound("127.0.0.1", "::", "::1", "0.0.0.0") as copies, Listeners(copies, []) as both:
            (six, four), port = copies[0], copies[0][0].getsockname()[1]
            assert [six.getsockname()[0], four.getsockname()[0]] == ["::", "0.0.0.0"]
            assert both.addresses == [f"[::]:{port}", f"0.0.0.0:{port}"]


def test_accepted_sockets() -> None:
    """Whatever process inherits a copy accepts the connections in its queue, with the options of the listener."""
    with _bound() as ((listener,),), socket.create_connection(listener.getsockname()):
        with socket.socket(fileno=os.dup(listener.fileno())) as inherited:
            inherited.setblocking(True)
            accepted, _ = inherited.accept()
        with accepted:
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT) == UNSENT_BYTES


@pytest.mark.parametrize("reuse", [False, True], ids=["plain", "reuse port"])
def test_port_in_use(reuse: bool) -> None:  # noqa: FBT001
    """A port in use is never shared, even if its owner allows that."""
    with socket.socket() as other:
        if reuse:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        message = f"cannot listen on 127.0.0.1 port {port}: Address already in use; .*choose another"
        with pytest.raises(Failure, match=message) as failure:
            bind_tcp(["127.0.0.1"], port, 2, BACKLOG)
        assert failure.value.code == COULD_NOT_START


def test_port_of_a_server_just_stopped() -> None:
    """A port with connections in TIME_WAIT is free."""
    with _bound() as ((listener,),):
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as caller:
            listener.setblocking(True)
            accepted, _ = listener.accept()
            accepted.close()
            assert caller.recv(1) == b""
    with _bound(port=port) as ((again,),):
        assert port == again.getsockname()[1]


def test_failure_leaves_nothing_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """If one of several addresses cannot be bound, or does not resolve, those before it are closed."""
    with _bound("127.0.0.1", "127.0.0.2") as ((first, second),):
        address = first.getsockname()
        first.close()
        with pytest.raises(Failure, match=r"cannot listen on 127\.0\.0\.2"):
            bind_tcp(["127.0.0.1", "127.0.0.2"], address[1], 2, BACKLOG)
        assert not _connects(address)
        assert _connects(second.getsockname())
    with pytest.raises(Failure, match=r"cannot listen on 192\.0\.2\.1 port 0"):
        bind_tcp(["192.0.2.1"], 0, 1, BACKLOG)
    with monkeypatch.context() as busy:  # another process takes the port once the guard has let go of it

        def taken(listener: socket.socket, address: Address) -> None:
            if listener.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT):
                raise OSError(errno.EADDRINUSE, "Address already in use")
            bind(listener, address)

        bind = socket.socket.bind
        busy.setattr(socket.socket, "bind", taken)
        with pytest.raises(Failure, match="Address already in use"):
            bind_tcp(["127.0.0.1"], address[1], 1, BACKLOG)


@pytest.mark.parametrize("host", ["no.such.name." * 20, "", "a..b", "a" * 70], ids=["long", "empty", "gap", "label"])
def test_host_that_does_not_resolve(host: str) -> None:
    """A host that cannot be resolved, or cannot even be a name, ends with one line that names it."""
    with pytest.raises(Failure, match="cannot resolve the host to listen on") as failure:
        bind_tcp(["127.0.0.1", host], 0, 1, BACKLOG)
    assert failure.value.code == COULD_NOT_START
    assert repr(host) in failure.value.message


def test_unix_socket(tmp_path: Path) -> None:
    """A Unix socket replaces a socket file without a listener, but not one with a listener."""
    path = str(tmp_path / "socket")
    UnixListener(path, BACKLOG).close()
    assert os.path.exists(path)
    with UnixListener(path, BACKLOG):
        assert _connects(path)
        with pytest.raises(Failure, match="Address already in use"):
            UnixListener(path, BACKLOG)
        assert _connects(path)


@pytest.mark.parametrize("umask", [0, 0o077])
def test_mode(tmp_path: Path, umask: int) -> None:
    """The file has the mode that was asked for from its first moment, whatever the umask, which stays."""
    before = os.umask(umask)
    try:
        for mode in (0o600, 0o660):
            with UnixListener(str(tmp_path / "socket"), BACKLOG, mode):
                assert stat.S_IMODE((tmp_path / "socket").stat().st_mode) == mode
    finally:
        assert os.umask(before) == umask


def test_impossible_path(tmp_path: Path) -> None:
    """A path that cannot be bound is named; another kind of file is neither bound nor removed."""
    path = tmp_path / "precious"
    path.write_text("precious")
    for wrong, message in (
        (path, "exists and is not a socket"),
        (tmp_path / "no/socket", "No such"),
        ("x" * 200, "the path is longer than 107 bytes"),
    ):
        with pytest.raises(Failure, match=message) as failure:
            UnixListener(str(wrong), BACKLOG)
        assert str(wrong) in failure.value.message
        assert failure.value.code == COULD_NOT_START
    assert path.read_text() == "precious"


def test_close(tmp_path: Path) -> None:
    """After closing, callers are refused and the socket file is gone; closing again does nothing."""
    path = tmp_path / "socket"
    copies = bind_tcp(["127.0.0.1"], 0, 2, BACKLOG)
    address = copies[0][0].getsockname()
    listeners = Listeners(copies, [UnixListener(str(path), BACKLOG)])
    assert _connects(address)
    listeners.close()
    assert not _connects(address)
    assert not path.exists()
    listeners.close()
    with Listeners([], [UnixListener(str(path), BACKLOG)]):
        path.unlink()


def test_close_leaves_the_socket_of_another(tmp_path: Path) -> None:
    """A socket file that another server has replaced is not removed."""
    path = tmp_path / "socket"
    with Listeners([], [UnixListener(str(path), BACKLOG)]) as listeners:
        path.unlink()
        with UnixListener(str(path), BACKLOG):
            listeners.close()
            assert _connects(str(path))


def test_close_after_its_folder_was_exchanged(tmp_path: Path) -> None:
    """The file is removed from the folder it was made in, wherever its path leads by then."""
    folder, moved, elsewhere = (tmp_path / name for name in ("folder", "moved", "elsewhere"))
    folder.mkdir()
    elsewhere.mkdir()
    with Listeners([], [UnixListener(str(folder / "socket"), BACKLOG)]):
        folder.rename(moved)
        folder.symlink_to(elsewhere)
        os.link(moved / "socket", elsewhere / "socket")
    assert (elsewhere / "socket").exists()
    assert not (moved / "socket").exists()


def test_folder_exchanged_before_bind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another server's file in the folder that the path led to at first is not mistaken for our own."""
    folder, moved = tmp_path / "folder", tmp_path / "moved"
    folder.mkdir()
    bind = socket.socket.bind

    def exchanged(listener: socket.socket, address: str) -> None:
        folder.rename(moved)
        folder.mkdir()
        bind(listener, address)

    with UnixListener(str(folder / "socket"), BACKLOG):
        monkeypatch.setattr(socket.socket, "bind", exchanged)
        with pytest.raises(Failure, match="Address already in use"):
            UnixListener(str(folder / "socket"), BACKLOG)


def test_stale_file_that_another_replaced_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket file without a listener, which another server replaces at that moment, is not removed."""
    path = str(tmp_path / "socket")
    UnixListener(path, BACKLOG).close()
    with socket.socket(socket.AF_UNIX) as other:

        def refused(_caller: socket.socket, _address: str) -> None:
            os.unlink(path)
            other.bind(path)
            other.listen()
            raise ConnectionRefusedError

        with monkeypatch.context() as meanwhile:
            meanwhile.setattr(socket.socket, "connect", refused)
            with pytest.raises(Failure, match="Address already in use"):
                UnixListener(path, BACKLOG)
        assert _connects(path)


def test_free_port_in_use_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the free port of the first address is in use on the next, another port is used for both."""
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
