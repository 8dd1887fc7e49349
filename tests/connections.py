"""Talking to the server over a socket."""

import socket
import struct
import threading

RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER, see socket(7)


def exchanged(connection: socket.socket, data: bytes = b"a") -> bool:
    """Send, read as much, and return whether it is right; it is not if the server ended the connection."""
    answer = b""
    try:
        connection.sendall(data)
        while len(answer) < len(data) and (part := connection.recv(1 << 16)):
            answer += part
    except (ConnectionError, TimeoutError):
        return False
    return answer == data.upper()


def read_all(connection: socket.socket) -> bytes:
    """Read to the server's end."""
    return b"".join(iter(lambda: connection.recv(1 << 20), b""))


def was_ended(connection: socket.socket, data: bytes = b"") -> bool:
    """Send, and return whether the server answers nothing, and ends or resets the connection."""
    try:
        connection.sendall(data)
        return not read_all(connection)
    except ConnectionError:
        return True


def send_and_end(connection: socket.socket, data: bytes) -> None:
    """Send, and end our side."""
    connection.sendall(data)
    connection.shutdown(socket.SHUT_WR)


def answer_to(connection: socket.socket, data: bytes) -> bytes:
    """Send and end our side while reading, and return all that arrives."""
    writer = threading.Thread(target=send_and_end, args=(connection, data))
    writer.start()
    answer = read_all(connection)
    writer.join()
    return answer


def reset(connection: socket.socket) -> None:
    """End a connection without a word, as a crash would."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    connection.close()
