"""A plain protocol: one callback for each chunk. Run: protocol.py asyncio|uvloop PORT."""

import asyncio
import sys
from importlib import import_module


class Upper(asyncio.Protocol):
    """Answers one connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # a stream's
        """Keep the transport."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer one chunk."""
        self.transport.write(data.upper())

    def pause_writing(self) -> None:
        """Stop reading from a client that does not read."""
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        """Read again."""
        self.transport.resume_reading()


async def main(port: int) -> None:
    """Serve until killed."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Upper, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    import_module(sys.argv[1]).run(main(int(sys.argv[2])))
