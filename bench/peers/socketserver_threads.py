"""Python's socketserver: one thread for each connection."""

import socketserver
import sys

READ_BYTES = 256 * 1024


class Handler(socketserver.StreamRequestHandler):
    """Answers one connection."""

    disable_nagle_algorithm = True

    def handle(self) -> None:
        """Answer until the client closes its side."""
        try:
            while data := self.request.recv(READ_BYTES):
                self.request.sendall(data.upper())
        except ConnectionError:
            pass


class Server(socketserver.ThreadingTCPServer):
    """Accepts connections."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 4096


if __name__ == "__main__":
    with Server(("127.0.0.1", int(sys.argv[1])), Handler) as server:
        server.serve_forever()
