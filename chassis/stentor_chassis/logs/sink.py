"""The sink of log lines: a bounded queue and a thread, so that a blocked output never delays the service."""

import threading
from collections import deque

from stentor_chassis.counters.histogram import Slots
from stentor_chassis.descriptors import write_all
from stentor_chassis.logs.bounds import MAX_BYTES

BATCH_BYTES = MAX_BYTES
QUEUE_LINES = 10_000
# How long lines are gathered before a write: waking the thread for each line would cost more than rendering it.
GATHER_SECONDS = 0.02


class Sink:
    """Writes lines to a file descriptor in its own thread; drops and counts lines if the queue is full.

    Used as a structlog logger: every level method queues one rendered line, which ends with a newline.
    """

    def __init__(
        self,
        fd: int,
        *,
        limit: int = QUEUE_LINES,
        dropped: Slots | None = None,
        waiting: Slots | None = None,
    ) -> None:
        """Write to `fd`, and queue at most `limit` lines.

        The one slot of `dropped` counts lost lines. That of `waiting` has the number of lines not written yet, which
        are lost if this process is killed.
        """
        self._fd = fd
        self._limit = limit
        self._dropped: Slots = [0] if dropped is None else dropped
        self._lines: deque[bytes] = deque()
        self._writing = 0  # lines removed from the queue and not yet written
        self._waiting: Slots = [0] if waiting is None else waiting
        self._lock = threading.RLock()  # used directly if no thread waits, which is faster than through the condition
        self._changed = threading.Condition(self._lock)
        self._idle = False  # whether the thread waits for a line
        self._hurry = threading.Event()
        threading.Thread(target=self._run, name="log-sink", daemon=True).start()

    def msg(self, line: bytes) -> None:
        """Queue one line, or count it as dropped; the lock is never held during a write."""
        with self._lock:
            if len(self._lines) < self._limit:
                self._lines.append(line)
                self._waiting[0] += 1
                if self._idle:
                    self._idle = False
                    self._changed.notify_all()
            else:
                self._dropped[0] += 1

    log = debug = info = warning = warn = error = critical = fatal = exception = failure = msg

    def flush(self, timeout: float) -> None:
        """Wait until all lines are written, at most `timeout` seconds; count the rest as dropped."""
        self._hurry.set()
        with self._changed:
            self._changed.wait_for(lambda: not self._lines and not self._writing, timeout)
            self._dropped[0] += len(self._lines) + self._writing
            self._lines.clear()
            self._writing = self._waiting[0] = 0

    def _run(self) -> None:
        while True:
            self._wait()
            with self._changed:
                if not self._lines:  # flush() has dropped them
                    continue
                batch = self._take_batch()
                self._writing = len(batch)
            lost = 0
            try:
                write_all(self._fd, b"".join(batch))
            except OSError:  # a full disk, a closed pipe
                lost = len(batch)
            with self._changed:
                if self._writing:  # else flush() has counted these lines as dropped
                    self._dropped[0] += lost
                    self._waiting[0] -= self._writing
                self._writing = 0
                self._changed.notify_all()

    def _wait(self) -> None:
        """Wait for a line, and then a little for more."""
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
