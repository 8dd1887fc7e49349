"""What a service needs of the kernel; a sandbox may forbid it, and an old kernel may lack it."""

import errno
import os
import resource
import select
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from stentor_chassis.failure import COULD_NOT_START, Failure

_REFUSED = {errno.ENOSYS, errno.EPERM, errno.EACCES, errno.ENOPROTOOPT}


def _set_descriptor_limit() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, resource.getrlimit(resource.RLIMIT_NOFILE))


CALLS: dict[str, Callable[[], object]] = {
    "memfd_create": lambda: os.close(os.memfd_create("stentor")),
    "pidfd_open": lambda: os.close(os.pidfd_open(os.getpid())),
    "epoll_create1": lambda: select.epoll().close(),
    "eventfd2": lambda: os.close(os.eventfd(0)),
    "prlimit64": _set_descriptor_limit,
}


@contextmanager
def needing(call: str) -> Iterator[None]:
    """Raise a `Failure` that names the call if the kernel refuses it."""
    try:
        yield
    except OSError as error:
        if error.errno not in _REFUSED:
            raise
        message = f"the kernel refuses {call} ({error.strerror}), which is needed: allow it in the sandbox, such as a"
        raise Failure(COULD_NOT_START, f"{message} seccomp profile, or use a newer kernel") from error


def check_calls() -> None:
    """Make each call once, because a worker that lacks one would only fail again and again."""
    for name, call in CALLS.items():
        with needing(name):
            call()
