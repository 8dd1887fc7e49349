"""Names that resolve to what a test wants."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from stentor_client.wire import dialer
from stentor_client.wire.lookup import Found


def resolve_to(monkeypatch: pytest.MonkeyPatch, *addresses: Any) -> None:
    """Let every name resolve to these addresses, which may be targets; without any, to nothing."""
    pairs = [each.split(":") if isinstance(each, str) else each for each in addresses]
    found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (pair[0], int(pair[1]))) for pair in pairs]

    async def look_up(_host: str, _port: int) -> Found:
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return found

    monkeypatch.setattr(dialer, "look_up", look_up)


def refusing() -> tuple[str, int]:
    """Return an address at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        host, port = other.getsockname()
        return host, port


@contextmanager
def swallowing() -> Iterator[tuple[str, int]]:
    """Yield an address whose accept queue is full, so that the kernel drops further SYNs."""
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)  # room for one
        for each in (first, second):
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        yield full.getsockname()
