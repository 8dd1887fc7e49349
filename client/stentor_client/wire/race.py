"""Tries several addresses at staggered times and keeps the first connection (RFC 8305, Happy Eyeballs).

`aiohappyeyeballs.start_connection` does the same, but it hides which address failed, why, and how long each attempt
lasted. `trace` shows these, and error messages name each address.
"""

import asyncio
import itertools
import socket
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from stentor_client.wire.dial_record import Endpoint

ATTEMPT_DELAY_SECONDS = 0.25  # RFC 8305, section 5

Attempt = Callable[[Endpoint], Coroutine[Any, Any, socket.socket]]


async def first_to_connect(attempt: Attempt, endpoints: Sequence[Endpoint]) -> socket.socket:
    """Connect to the endpoint that answers first; the next attempt starts when one fails, or after 250 ms.

    When one attempt succeeds, the others are cancelled. An attempt must not return once another one has.

    Raises:
        ExceptionGroup: if every attempt failed; the errors are in the order of the attempts.

    """
    tasks: list[asyncio.Task[socket.socket]] = []
    remaining = _interleaved(endpoints)
    try:
        while remaining or not all(task.done() for task in tasks):
            if remaining:
                tasks.append(asyncio.create_task(attempt(remaining.pop(0))))
            running = [task for task in tasks if not task.done()]
            delay = ATTEMPT_DELAY_SECONDS if remaining else None
            await asyncio.wait(running, timeout=delay, return_when=asyncio.FIRST_COMPLETED)
            if connection := _connection(tasks):
                await _cancel(tasks)
                return connection
    except asyncio.CancelledError:
        if connection := _connection(tasks):
            connection.close()
        await _cancel(tasks)
        raise
    raise ExceptionGroup("no address answers", [e for task in tasks if isinstance(e := task.exception(), Exception)])


def _connection(tasks: Sequence[asyncio.Task[socket.socket]]) -> socket.socket | None:
    return next(
        (each.result() for each in tasks if each.done() and not each.cancelled() and not each.exception()), None
    )


async def _cancel(tasks: Sequence[asyncio.Task[socket.socket]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _interleaved(endpoints: Sequence[Endpoint]) -> list[Endpoint]:
    """Return the endpoints with their families in turn, beginning with that of the first (RFC 8305, section 4)."""
    families: dict[int, list[Endpoint]] = {}
    for endpoint in endpoints:
        families.setdefault(endpoint.family, []).append(endpoint)
    return [each for turn in itertools.zip_longest(*families.values()) for each in turn if each is not None]
