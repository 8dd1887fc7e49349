"""Messages that are each unique and hold every byte value."""

import secrets

_SEQUENCE = 1 << 32


class MessageSource:
    """Builds the messages of one run.

    A message begins with a header of run, connection and sequence number, in characters that upper-casing leaves
    alone: a reply that is stale, or belongs to another connection, cannot pass. The body begins with a lower-case
    letter, so that a plain echo cannot pass either, and runs through every byte value from there. A message too small
    for the header keeps its end, which is the sequence number, and the letter; under 10 bytes that is no longer
    unique over a long run.
    """

    def __init__(self, largest: int, run: int | None = None) -> None:
        """Build messages of up to `largest` bytes; `run` is drawn at random unless given."""
        self.run = secrets.randbits(32) if run is None else run
        self._bytes = bytes(range(256)) * (largest // 256 + 2)

    def build(self, connection: int, sequence: int, size: int) -> bytes:
        """Return the message of `size` bytes."""
        header = b"%08X.%08X.%08X." % (self.run, connection % _SEQUENCE, sequence % _SEQUENCE)
        start = ord("a") + sequence % 26
        body = self._bytes[start : start + max(1, size - len(header))]
        return header[max(0, len(header) + len(body) - size) :] + body
