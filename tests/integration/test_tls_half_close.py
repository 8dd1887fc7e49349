"""A client that ends its side under TLS, and reads only then."""

import os
import socket
import ssl
from collections.abc import Callable

from certificates import Authority
from processes import Server, read_all, send_and_end


def test_half_close(authority: Authority) -> None:
    """A client that ends its side, by close_notify and FIN, before it reads anything gets the whole answer (row 11).

    Its FIN is there before the server, which waits for the reader, has read what was sent before it.
    """
    with Server("--workers", "1", "--tls-cert", authority.issue("server")) as server:
        arriving, departing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = authority.trust().wrap_bio(arriving, departing, server_hostname="127.0.0.1")
        with socket.socket() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 << 10)
            connection.connect(server.address)
            while _wants_more(tls.do_handshake):
                connection.sendall(departing.read())
                arriving.write(connection.recv(1 << 16))
            parts: list[bytes] = []
            while len(parts) < 2 or not server.metrics()["stentor_server_read_pauses_total"]:
                parts.append(os.urandom(16 << 10))
                tls.write(parts[-1])
                connection.sendall(departing.read())
            parts.append(os.urandom(16 << 10))
            tls.write(parts[-1])
            assert _wants_more(tls.unwrap)  # what it wants is the other's close_notify
            send_and_end(connection, departing.read())
            arriving.write(read_all(connection))
        answer = _all_of(tls)
        assert answer == b"".join(parts).upper()
        assert server.closed("eof")[0]["sent_bytes"] == len(answer)


def _wants_more(step: Callable[[], object]) -> bool:
    try:
        step()
    except ssl.SSLWantReadError:
        return True
    return False


def _all_of(tls: ssl.SSLObject) -> bytes:
    """Return what has arrived, up to the server's close_notify."""
    answer = bytearray()
    try:
        while True:
            answer += tls.read(1 << 16)
    except ssl.SSLZeroReturnError:
        return bytes(answer)
