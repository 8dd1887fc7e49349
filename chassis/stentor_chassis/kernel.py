"""What every worker needs of the kernel; a sandbox may forbid it, and an old kernel may lack it."""

import errno
import os
import resource
import select
import socket
from collections.abc import Callable

from stentor_chassis.failure import COULD_NOT_START, Failure

_REFUSED = {errno.ENOSYS, errno.EPERM, errno.EACCES, errno.ENOPROTOOPT}


def _share_port() -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)


CALLS: dict[str, Callable[[], object]] = {
    "memfd_create": lambda: os.close(os.memfd_create("stentor")),
    "pidfd_open": lambda: os.close(os.pidfd_open(os.getpid())),
    "epoll_create1": lambda: select.epoll().close(),
    "eventfd2": lambda: os.close(os.eventfd(0)),
    "prlimit64": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, resource.getrlimit(resource.RLIMIT_NOFILE)),
    "setsockopt with SO_REUSEPORT": _share_port,
}


def check_calls() -> None:
    """Make each call once, because a worker would only fail again and again; raise `Failure` if one is refused."""
    for name, call in CALLS.items():
        try:
            call()
        except OSError as error:
            if error.errno not in _REFUSED:
                raise
            message = f"the kernel refuses {name} ({error.strerror}), which is needed: allow it in the sandbox, such as"
            raise Failure(COULD_NOT_START, f"{message} a seccomp profile, or use a newer kernel") from error
