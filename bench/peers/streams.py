"""Streams: one task for each connection. Run: streams.py asyncio|uvloop PORT."""

import asyncio
import sys
from importlib import import_module

READ_BYTES = 256 * 1024


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one connection until the client closes its side."""
    try:
        while data := await reader.read(READ_BYTES):
            writer.write(data.upper())
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


async def main(port: int) -> None:
    """Serve until killed."""
    server = await asyncio.start_server(answer, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    import_module(sys.argv[1]).run(main(int(sys.argv[2])))
