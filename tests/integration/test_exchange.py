"""What comes back from the server."""

import os
import socket

import pytest

from connections import exchanged
from processes import Server


@pytest.mark.parametrize("size", [0, 65_535, 65_536, 65_537, 256_001, 262_143, 262_144, 262_145, 16 << 20])
def test_sizes_around_buffers(shared_server: Server, size: int) -> None:
    """Sizes around those of buffers come back exact."""
    data = os.urandom(size)
    assert shared_server.ask(data) == data.upper()


def test_urgent_byte_is_no_data(shared_server: Server) -> None:
    """An out-of-band byte is not part of the stream (tcp(7)) and harms nothing."""
    with shared_server.connect() as connection:
        assert exchanged(connection, b"before")
        connection.send(b"!", socket.MSG_OOB)
        assert exchanged(connection, b"after")
