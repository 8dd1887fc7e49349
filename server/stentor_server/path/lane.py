"""The lane: what all connections of one worker share."""

from collections.abc import Callable
from dataclasses import dataclass, field

from stentor_chassis.address import Address
from stentor_chassis.logs.log import Logger
from stentor_server.metrics import CloseReason
from stentor_server.path.poller import Poller

BUFFER_BYTES = 256 * 1024
# Two records at once. OpenSSL's buffers never shrink, so a connection keeps their largest size until it closes.
TLS_BUFFER_BYTES = 32 * 1024


@dataclass(slots=True)
class Lane:
    """Everything that a connection needs from its worker.

    All connections read into the same buffer. They can share it because each finishes with a chunk before the next is
    read.
    """

    row: "memoryview[int]"  # this worker's counters
    poller: Poller
    log: Logger
    table: bytes  # of the transform
    forget: Callable[[int, Address, CloseReason, int], None]  # descriptor, client, reason, nanoseconds open
    buffer: memoryview = field(default_factory=lambda: memoryview(bytearray(BUFFER_BYTES)))
    buffers: list[memoryview] = field(init=False)  # as readv() expects it
    tls_buffers: list[memoryview] = field(init=False)

    def __post_init__(self) -> None:
        """Wrap the buffer once, instead of for each read."""
        self.buffers = [self.buffer]
        self.tls_buffers = [self.buffer[:TLS_BUFFER_BYTES]]
