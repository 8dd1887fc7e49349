"""Looks up the addresses of names, in a way that can be cancelled."""

import asyncio
import contextlib
import errno
import socket
import threading
from collections.abc import Sequence
from typing import Any

Found = Sequence[tuple[int, int, int, str, Any]]  # as getaddrinfo(3) returns it


async def look_up(host: str, port: int) -> Found:
    """Return the addresses that TCP can connect to.

    It runs in a daemon thread: a lookup cannot be interrupted, and the event loop waits for threads of its own pool
    before it closes.

    Raises:
        OSError: if the name has none, or the lookup fails.
        UnicodeError: if it is not a valid host name.

    """
    with contextlib.suppress(socket.gaierror):  # an address needs no lookup
        return _ask(host, port, socket.AI_NUMERICHOST)
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Found] = loop.create_future()

    def settle(found: Found | Exception) -> None:
        if answer.done():  # cancelled
            return
        if isinstance(found, Exception):
            answer.set_exception(found)
        else:
            answer.set_result(found)

    def ask() -> None:
        found: Found | Exception
        try:
            found = _ask(host, port)
        except Exception as error:  # noqa: BLE001 - the caller gets it, whatever it is
            found = error
        with contextlib.suppress(RuntimeError):  # the loop has closed
            loop.call_soon_threadsafe(settle, found)

    try:
        threading.Thread(target=ask, name="lookup", daemon=True).start()
    except RuntimeError as error:
        raise OSError(errno.ENOMEM, str(error)) from error
    return await answer


def _ask(host: str, port: int, flags: int = 0) -> Found:
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    except socket.gaierror:
        socket.socket().close()  # without a free descriptor every lookup fails: this raises the error that says so
        raise
