"""Listening sockets, bound once by the control process."""

import contextlib
import errno
import os
import secrets
import socket
import stat
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from stentor_chassis.address import Address, printable
from stentor_chassis.failure import COULD_NOT_START, Failure, shortage

# Limit of the kernel's buffer for a peer that does not read, beyond its window. The default is some megabytes.
UNSENT_BYTES = 128 * 1024
MAX_PATH_BYTES = 107  # see unix(7)
_ATTEMPTS = 10  # to find a port that is free on all addresses
_WILDCARDS = {"0.0.0.0", "::"}  # each includes all other addresses of its family


class UnixListener(socket.socket):
    """A listening Unix socket, which all workers share; it replaces a socket file without a listener.

    It keeps its folder open and removes its file only there, because another user who can write to a parent folder can
    replace the folder with a link to another one at any moment.
    """

    def __init__(self, path: str, backlog: int, mode: int = 0o600) -> None:
        """Bind with a file mode, and listen; raise `Failure` if the path is in use, no socket, or cannot be bound."""
        super().__init__(socket.AF_UNIX, socket.SOCK_STREAM)
        folder, self._name = os.path.split(path)
        self._folder = -1
        try:
            self._folder = os.open(folder or ".", os.O_PATH | os.O_DIRECTORY)
            self._remove_stale()
            umask = os.umask(0o777 & ~mode)  # chmod(2) would come too late, and follow a link
            try:
                self.bind(path)
            finally:
                os.umask(umask)
            self._own = self._identity()
            self.listen(backlog)
        except OSError as error:
            self.close()
            reason = error.strerror or f"the path is longer than {MAX_PATH_BYTES} bytes"
            message = f"cannot listen on the Unix socket {path}: {reason}"
            raise Failure(COULD_NOT_START, message) from error

    def remove_file(self) -> None:
        """Remove the socket file, unless another, such as another server's, has replaced it."""
        with contextlib.suppress(OSError):  # such as after close()
            self._remove(self._own)

    def close(self) -> None:
        """Close the socket and its folder; the file stays."""
        if self._folder != -1:
            os.close(self._folder)
            self._folder = -1
        super().close()

    def _identity(self) -> tuple[int, int] | None:
        """Return device and inode of the file, or nothing if there is none; no other has the same while it is open."""
        with contextlib.suppress(OSError):
            found = os.stat(self._name, dir_fd=self._folder, follow_symlinks=False)
            return found.st_dev, found.st_ino
        return None

    def _remove(self, identity: tuple[int, int] | None) -> None:
        if identity is not None and identity == self._identity():
            os.unlink(self._name, dir_fd=self._folder)

    def _remove_stale(self) -> None:
        try:
            held = os.open(self._name, os.O_PATH | os.O_NOFOLLOW, dir_fd=self._folder)
        except FileNotFoundError:
            return
        try:
            found = os.fstat(held)
            if not stat.S_ISSOCK(found.st_mode):
                raise FileExistsError(errno.EEXIST, "it exists and is not a socket")
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
                caller.setblocking(False)
                try:
                    caller.connect(f"/proc/self/fd/{held}")  # this file, even if the path now leads elsewhere
                except ConnectionRefusedError:
                    self._remove((found.st_dev, found.st_ino))
                    return
                except BlockingIOError:  # the queue of its listener is full
                    pass
                # bind() succeeds if the folder is replaced first; this file would then be mistaken for our own.
                raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        finally:
            os.close(held)


class Listeners(contextlib.AbstractContextManager["Listeners"]):
    """Every listening socket of a service: each worker has its own, except for the Unix sockets, which all share.

    Each worker may also have a side door, an abstract Unix socket for health checks, which is no address of the
    service.
    """

    def __init__(self, per_worker: Sequence[Sequence[socket.socket]] = (), unix: Sequence[UnixListener] = ()) -> None:
        """Own the sockets."""
        self._per_worker = per_worker
        self._unix = [*unix]
        self._side_doors: list[socket.socket] = []
        self.addresses = [printable(each.getsockname()) for each in (*chain(*per_worker[:1]), *unix)]
        self.side_doors: list[str] = []  # their names, by worker, as ss(8) shows them

    def add(self, unix: UnixListener) -> None:
        """Own another Unix socket."""
        self._unix.append(unix)
        self.addresses.append(printable(unix.getsockname()))

    def add_side_doors(self, name: str, workers: int) -> None:
        """Open a side door for each worker, in the abstract namespace: see unix(7).

        Most of the socket's name is random, so that no other program can have taken it.
        """
        for _ in range(workers):
            door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._side_doors.append(door)
            self.side_doors.append(f"@{name}/{secrets.token_hex(8)}")
            door.bind(self.side_doors[-1].replace("@", "\0"))
            door.listen()

    def of_worker(self, number: int) -> list[int]:
        """Return the file descriptors that a worker inherits."""
        own = self._per_worker[number] if self._per_worker else []
        return [each.fileno() for each in (*own, *self._unix, *self._side_doors[number : number + 1])]

    def close(self) -> None:
        """Close all sockets, so that callers are refused instead of kept waiting, and remove socket files."""
        for unix in self._unix:
            unix.remove_file()
        for each in chain(self._unix, self._side_doors, *self._per_worker):
            each.close()

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()


def bind_tcp(hosts: Sequence[str], port: int, copies: int, backlog: int) -> list[list[socket.socket]]:
    """Return a list of listening sockets for each worker: one socket for each address that `hosts` resolve to.

    With `SO_REUSEPORT` the kernel spreads connections over the copies; the queue of each copy outlives its worker.
    Port 0 selects a free port, the same for all copies and addresses.

    Raises:
        Failure: a name does not resolve, or an address cannot be bound.

    """
    resolved = [found for host in hosts for found in _resolve(host, port)]
    addresses = list(dict.fromkeys((family, sockaddr) for family, _, _, _, sockaddr in resolved))
    wild = {family for family, sockaddr in addresses if sockaddr[0] in _WILDCARDS}
    addresses = [each for each in addresses if each[0] not in wild or each[1][0] in _WILDCARDS]
    for _ in range(0 if port else _ATTEMPTS - 1):
        with contextlib.suppress(Failure):
            return _bind_all(addresses, port, copies, backlog)
    return _bind_all(addresses, port, copies, backlog)


def _bind_all(addresses: Sequence[Any], port: int, copies: int, backlog: int) -> list[list[socket.socket]]:
    copies_of_sockets: list[list[socket.socket]] = [[] for _ in range(copies)]
    with contextlib.ExitStack() as unless_all_are_bound:
        for family, (host, _, *scope) in addresses:
            with _failing_to_listen((host, port)), _stream_socket(family) as guard:
                guard.bind((host, port, *scope))  # fails if another process listens: SO_REUSEPORT would share its port
            for sockets in copies_of_sockets:
                listener = _bound(family, (host, port, *scope), backlog)
                unless_all_are_bound.enter_context(listener)
                port = port or int(listener.getsockname()[1])
                sockets.append(listener)
        unless_all_are_bound.pop_all()
    return copies_of_sockets


def _resolve(host: str, port: int) -> list[Any]:
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError) as error:
        reason = error.strerror if isinstance(error, socket.gaierror) else "it is not a host name"
        raise Failure(COULD_NOT_START, f"cannot resolve the host to listen on, {host!r}: {reason}") from error


def _stream_socket(family: int) -> socket.socket:
    stream = socket.socket(family, socket.SOCK_STREAM)
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections in TIME_WAIT do not matter
    if family == socket.AF_INET6:
        stream.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    return stream


@contextlib.contextmanager
def _failing_to_listen(address: Address) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Failure(
            COULD_NOT_START, f"cannot listen on {address[0]} port {address[1]}: {shortage(error.errno)}"
        ) from error


def _bound(family: int, address: Address, backlog: int) -> socket.socket:
    with _failing_to_listen(address), contextlib.ExitStack() as unless_it_listens:
        listener = unless_it_listens.enter_context(_stream_socket(family))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        # Accepted sockets inherit these.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
        listener.bind(address)
        listener.listen(backlog)
        listener.setblocking(False)
        unless_it_listens.pop_all()
    return listener
