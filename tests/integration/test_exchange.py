"""What comes back from the server."""

import socket

from connections import exchanged
from processes import Server


def test_urgent_byte_is_no_data(shared_server: Server) -> None:
    """An out-of-band byte is not part of the stream (tcp(7)) and harms nothing."""
    with shared_server.connect() as connection:
        assert exchanged(connection, b"before")
        connection.send(b"!", socket.MSG_OOB)
        assert exchanged(connection, b"after")
