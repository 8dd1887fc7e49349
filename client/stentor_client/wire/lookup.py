"""Addresses of names, looked up so that whoever cannot wait any longer need not."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Sequence
from typing import Any

Found = Sequence[tuple[int, int, int, str, Any]]  # as getaddrinfo(3) returns it


async def look_up(host: str, port: int) -> Found:
    """Return the addresses that TCP can connect to.

    A thread asks, and is a daemon: a name server that is silent cannot be called off, and the end of the event loop
    would wait for its own.

    Raises:
        OSError: there are none, or nobody knows.
        UnicodeError: it is no host name.

    """
    with contextlib.suppress(socket.gaierror):  # an address needs nobody to be asked
        return _ask(host, port, socket.AI_NUMERICHOST)
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Found] = loop.create_future()

    def settle(found: "Found | Exception") -> None:
        if answer.done():  # nobody waits any more
            return
        if isinstance(found, Exception):
            answer.set_exception(found)
        else:
            answer.set_result(found)

    def ask() -> None:
        found: Found | Exception
        try:
            found = _ask(host, port)
        except (OSError, UnicodeError) as error:
            found = error
        with contextlib.suppress(RuntimeError):  # the loop has closed
            loop.call_soon_threadsafe(settle, found)

    threading.Thread(target=ask, name="lookup", daemon=True).start()
    return await answer


def _ask(host: str, port: int, flags: int = 0) -> Found:
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
