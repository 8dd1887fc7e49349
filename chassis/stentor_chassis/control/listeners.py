"""Listening sockets, bound once by the control process."""

import contextlib
import os
import socket
import stat
from collections.abc import Iterator, Sequence
from typing import Any, Self

from stentor_chassis.address import Address, printable
from stentor_chassis.failure import COULD_NOT_START, Failure

# What the kernel holds for a peer that does not read, beyond what that peer has room for: otherwise some megabytes.
UNSENT_BYTES = 128 * 1024
_TRIES = 10  # to find a free port: one that is free for the first address may not be for the next
_EVERY = {"0.0.0.0", "::"}  # all other addresses of the family are among it


class Listeners:
    """Every listening socket of a service: some for each worker alone, some that all workers share."""

    def __init__(self, per_worker: list[list[socket.socket]], shared: list[socket.socket]) -> None:
        """Take over the sockets."""
        self._per_worker = per_worker
        self._shared = shared
        self._files = {each: _identity(each.getsockname()) for each in shared if each.family == socket.AF_UNIX}
        self.addresses = [_printable(each) for each in (*(per_worker[0] if per_worker else []), *shared)]

    def of_worker(self, number: int) -> list[int]:
        """Return the file descriptors that a worker inherits."""
        own = self._per_worker[number] if self._per_worker else []
        return [each.fileno() for each in (*own, *self._shared)]

    def close(self) -> None:
        """Close all, so that callers are refused instead of kept waiting, and remove socket files."""
        for each in (*self._shared, *(one for own in self._per_worker for one in own)):
            if each.fileno() != -1 and each in self._files:
                with contextlib.suppress(OSError):  # not ours to mend
                    _remove(each.getsockname(), self._files[each])
            each.close()

    def __enter__(self) -> Self:
        """Close when the block ends, however it ends."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()


def bind_tcp(hosts: Sequence[str], port: int, copies: int, backlog: int) -> list[list[socket.socket]]:
    """Return one list of listening sockets per worker, one socket in it per address that `hosts` resolve to.

    With `SO_REUSEPORT` the kernel spreads connections over the copies; each copy's queue outlives the worker that
    serves it. Port 0 takes a free port, the same one for all copies and addresses.

    Raises:
        Failure: a name does not resolve, or an address cannot be bound.

    """
    resolved = [found for host in hosts for found in _resolve(host, port)]
    addresses = list(dict.fromkeys((family, sockaddr) for family, _, _, _, sockaddr in resolved))
    every = {family for family, sockaddr in addresses if sockaddr[0] in _EVERY}
    addresses = [(family, sockaddr) for family, sockaddr in addresses if family not in every or sockaddr[0] in _EVERY]
    tries = 1 if port else _TRIES
    while True:
        tries -= 1
        try:
            return _bind_all(addresses, port, copies, backlog)
        except Failure:
            if not tries:
                raise


def _bind_all(addresses: Sequence[Any], port: int, copies: int, backlog: int) -> list[list[socket.socket]]:
    copies_of_sockets: list[list[socket.socket]] = [[] for _ in range(copies)]
    with contextlib.ExitStack() as unless_all_are_bound:
        for family, sockaddr in addresses:
            _refuse_to_share(family, (sockaddr[0], port, *sockaddr[2:]))
            for sockets in copies_of_sockets:
                listener = _bound(family, (sockaddr[0], port, *sockaddr[2:]), backlog)
                unless_all_are_bound.enter_context(listener)
                port = port or int(listener.getsockname()[1])
                sockets.append(listener)
        unless_all_are_bound.pop_all()
    return copies_of_sockets


def bind_unix(path: str, backlog: int) -> socket.socket:
    """Return a listening Unix socket, which all workers share; a socket file that nobody answers is replaced.

    Raises:
        Failure: the path is in use, is not a socket, or cannot be bound.

    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_stale(path)
        listener.bind(path)
        listener.listen(backlog)
    except OSError as error:
        listener.close()
        raise Failure(COULD_NOT_START, f"cannot listen on the Unix socket {path}: {error.strerror or error}") from error
    return listener


def _resolve(host: str, port: int) -> list[Any]:
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError) as error:
        reason = error.strerror if isinstance(error, socket.gaierror) else "it is no host name"
        raise Failure(COULD_NOT_START, f"cannot resolve the host to listen on, {host!r}: {reason}") from error


def _printable(listener: socket.socket) -> str:
    """Return where a listener listens: `host:port`, `[host]:port` or `unix:path`."""
    name = listener.getsockname()
    if isinstance(name, tuple):
        return printable(name)
    return f"unix:{name}"


def _refuse_to_share(family: int, address: Address) -> None:
    """Raise where somebody listens already: with `SO_REUSEPORT` alone, two servers would quietly share a port."""
    with _failing_to_listen(address), _stream_socket(family) as guard:
        guard.bind(address)


def _stream_socket(family: int) -> socket.socket:
    stream = socket.socket(family, socket.SOCK_STREAM)
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections in TIME_WAIT are no obstacle
    if family == socket.AF_INET6:
        stream.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    return stream


@contextlib.contextmanager
def _failing_to_listen(address: Address) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Failure(COULD_NOT_START, f"cannot listen on {address[0]} port {address[1]}: {error.strerror}") from error


def _bound(family: int, address: Address, backlog: int) -> socket.socket:
    with _failing_to_listen(address):
        listener = _stream_socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        # What follows is inherited by what is accepted.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
        listener.bind(address)
        listener.listen(backlog)
        listener.setblocking(False)
    return listener


def _identity(path: str | int) -> tuple[int, int] | None:
    """Return which file stands at a path, if any; while somebody holds it, no other can be taken for it."""
    with contextlib.suppress(OSError):
        found = os.stat(path)
        return found.st_dev, found.st_ino
    return None


def _remove(path: str, identity: tuple[int, int] | None) -> None:
    """Remove a file, unless another, which may be another server's socket, stands in its place by now."""
    if identity is not None and identity == _identity(path):
        os.unlink(path)


def _remove_stale(path: str) -> None:
    try:
        held = os.open(path, os.O_PATH)
    except FileNotFoundError:
        return
    try:
        if not stat.S_ISSOCK(os.stat(held).st_mode):
            raise FileExistsError(f"{path} exists and is not a socket")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
            caller.setblocking(False)  # with its queue full somebody is there: BlockingIOError is an answer as well
            try:
                caller.connect(path)
            except ConnectionRefusedError:
                _remove(path, _identity(held))
    finally:
        os.close(held)
