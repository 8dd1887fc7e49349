"""Standard input and standard output of a filter."""

import asyncio
import codecs
import os
import threading
from collections.abc import AsyncIterator

from stentor_chassis.descriptors import write_all
from stentor_chassis.escaping import escaped
from stentor_chassis.failure import INTERNAL_ERROR, READER_GONE, USAGE, Failure

_STDIN, _STDOUT = 0, 1
_READ_BYTES = 256 * 1024
_READS_AHEAD = 2


def write_out(data: bytes | memoryview) -> None:
    """Write all of `data` to standard output.

    Raises:
        Failure: it cannot be written, or its reader is gone; then the message is empty.

    """
    try:
        write_all(_STDOUT, data)
    except BrokenPipeError as error:
        raise Failure(READER_GONE, "") from error
    except OSError as error:
        raise Failure(INTERNAL_ERROR, f"cannot write standard output: {error.strerror}") from error


class TerminalText:
    """Writes a reply to a terminal; control characters except newlines and tabs are escaped."""

    def __init__(self, encoding: str) -> None:
        """Write in the terminal's `encoding`."""
        self._encoding = encoding
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")  # a chunk can end inside a character
        self._last = "\n"

    def write(self, data: bytes | memoryview, *, final: bool = False) -> None:
        """Write a chunk; `final` also writes an incomplete last character. Raises `Failure` as `write_out` does."""
        text = escaped(self._decoder.decode(bytes(data), final), passing="\n\t")
        self._last = (self._last + text)[-1]
        write_out(text.encode(self._encoding, "backslashreplace"))

    def end_line(self) -> None:
        """End an unfinished line, so that what follows does not stick to it."""
        self.write(b"" if self._last == "\n" else b"\n", final=True)


async def read_in() -> AsyncIterator[bytes]:
    """Yield chunks of standard input as they arrive.

    A thread reads, because a file cannot be polled; it is a daemon, because a blocked read cannot be interrupted.

    Raises:
        Failure: it cannot be read.

    """
    loop = asyncio.get_running_loop()
    chunks: asyncio.Queue[bytes | OSError] = asyncio.Queue()
    wanted = threading.Semaphore(_READS_AHEAD)

    def read() -> None:
        chunk: bytes | OSError = b"-"
        while chunk and isinstance(chunk, bytes):
            wanted.acquire()
            try:
                chunk = os.read(_STDIN, _READ_BYTES)
            except OSError as error:
                chunk = error
            try:
                loop.call_soon_threadsafe(chunks.put_nowait, chunk)
            except RuntimeError:  # the loop has closed: the exchange is over
                return

    threading.Thread(target=read, name="standard-input", daemon=True).start()
    while chunk := await chunks.get():
        if isinstance(chunk, OSError):
            raise Failure(USAGE, f"cannot read standard input: {chunk.strerror}")
        yield chunk
        wanted.release()
