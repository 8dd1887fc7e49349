"""Unique messages that contain every byte value."""

import re
import secrets

from stentor_client.verify.verifier import Expect, ReplyPart

COPIED_BYTES = 4096  # up to this size the expected reply is one copy: one comparison is cheaper than two
HEADER = re.compile(rb"([0-9]{9})([0-9]{9})([0-9]{9})")  # run, connection and sequence number
_NUMBERS = 10**9


class MessageSource:
    """Builds the messages of one run, and the replies to them.

    A message begins with a header of run, connection and sequence number, in digits, which no transform of the server
    changes: a stale reply, or one of another connection, cannot pass. The body starts with a lower-case letter, so that
    a plain echo cannot pass either, and continues through every byte value. A message too small for the header keeps
    the header's end (the sequence number) and the letter; below 10 bytes that is not unique over a long run.
    """

    def __init__(self, largest: int, expect: Expect, run: int | None = None) -> None:
        """Build messages of up to `largest` bytes; `run` is random unless given."""
        self.run = secrets.randbelow(_NUMBERS) if run is None else run
        self._prefix = b"%09d" % self.run
        self._bytes = bytes(range(256)) * (largest // 256 + 2)
        self._view = memoryview(self._bytes)
        self._reply = expect(self._bytes)

    def build(self, connection: int, sequence: int, size: int) -> tuple[bytes, tuple[ReplyPart, ...]]:
        """Return a message of `size` bytes, and the parts of its reply; long parts are not copied."""
        header = b"%b%09d%09d" % (self._prefix, connection % _NUMBERS, sequence % _NUMBERS)
        if size <= len(header):
            header = header[len(header) + 1 - size :]
        start = ord("a") + sequence % 26
        stop = start + size - len(header)
        if size <= COPIED_BYTES:
            return header + self._bytes[start:stop], ((header + self._reply[start:stop], 0, size),)
        message = b"".join((header, self._view[start:stop]))
        return message, ((header, 0, len(header)), (self._reply, start, stop))
