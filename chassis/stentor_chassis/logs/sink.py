"""Where log lines go: a bounded queue and one thread, so that a blocked sink never delays who logs."""

import threading
from collections import deque
from collections.abc import Callable

from stentor_chassis.counters.histogram import Slots
from stentor_chassis.descriptors import write_all
from stentor_chassis.logs.bounds import MOST_BYTES

BATCH_BYTES = MOST_BYTES
QUEUE_LINES = 10_000
# Lines are gathered this long before they are written: waking the thread for each would cost the data path more than
# making the line did.
GATHER_SECONDS = 0.02


class Sink:
    """Writes lines to a file descriptor from a thread of its own; drops and counts what it cannot take.

    Used as a structlog logger: every level method queues one line, already rendered, with its newline.
    """

    def __init__(
        self,
        fd: int,
        *,
        limit: int = QUEUE_LINES,
        on_drop: Callable[[int], None] | None = None,
        waiting: Slots | None = None,
    ) -> None:
        """Write to `fd`; hold at most `limit` lines; tell `on_drop` how many lines were lost, one call at a time.

        The one slot of `waiting` has how many lines are not written yet: if this process is killed, they are lost.
        """
        self.dropped = 0
        self._fd = fd
        self._limit = limit
        self._on_drop = on_drop
        self._lines: deque[bytes] = deque()
        self._writing = 0  # lines taken off the queue and not yet written
        self._waiting: Slots = [0] if waiting is None else waiting
        self._lock = threading.RLock()  # taken by itself where nobody waits: that is quicker than by the condition
        self._changed = threading.Condition(self._lock)
        self._idle = False  # the thread waits to be told of a line
        self._hurry = threading.Event()
        threading.Thread(target=self._run, name="log-sink", daemon=True).start()

    def msg(self, line: bytes) -> None:
        """Queue one line, or count it as dropped; the lock is never held over a write."""
        with self._lock:
            if len(self._lines) < self._limit:
                self._lines.append(line)
                self._waiting[0] += 1
                if self._idle:
                    self._idle = False
                    self._changed.notify_all()
            else:
                self._drop(1)

    log = debug = info = warning = warn = error = critical = fatal = exception = failure = msg

    def flush(self, timeout: float) -> None:
        """Wait until all is written, at most `timeout` seconds; what is left then is counted as dropped."""
        self._hurry.set()
        with self._changed:
            self._changed.wait_for(lambda: not self._lines and not self._writing, timeout)
            self._drop(len(self._lines) + self._writing)
            self._lines.clear()
            self._writing = self._waiting[0] = 0

    def _drop(self, lines: int) -> None:
        self.dropped += lines
        if lines and self._on_drop is not None:
            self._on_drop(lines)

    def _run(self) -> None:
        while True:
            self._wait()
            with self._changed:
                if not self._lines:  # flush() has given them up
                    continue
                batch = self._take_batch()
                self._writing = len(batch)
            lost = 0
            try:
                write_all(self._fd, b"".join(batch))
            except OSError:  # a full disk, a closed pipe
                lost = len(batch)
            with self._changed:
                if self._writing:  # else flush() has given these lines up, and counted them
                    self._drop(lost)
                    self._waiting[0] -= self._writing
                self._writing = 0
                self._changed.notify_all()

    def _wait(self) -> None:
        """Wait until there are lines, and then for some more."""
        with self._changed:
            if self._lines:
                return
            self._idle = True
            self._changed.wait_for(lambda: self._lines)
        self._hurry.wait(GATHER_SECONDS)

    def _take_batch(self) -> list[bytes]:
        batch = [self._lines.popleft()]
        size = len(batch[0])
        while self._lines and size + len(self._lines[0]) <= BATCH_BYTES:
            batch.append(self._lines.popleft())
            size += len(batch[-1])
        return batch
