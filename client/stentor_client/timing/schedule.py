"""When sends are due."""

from stentor_chassis.counters.histogram import NANOSECONDS

LATE_NANOSECONDS = 1_000_000  # a send that begins this long after it was due is late


class Schedule:
    """Evenly spaced moments, each computed from the start so that they cannot drift."""

    def __init__(self, interval_seconds: float, start: int) -> None:
        """Begin at `start`, in nanoseconds of the caller's clock."""
        self._interval = interval_seconds * NANOSECONDS
        self._start = start
        self._next = 0

    def next(self, now: int) -> tuple[int, int]:
        """Return the next moment, and how many before it are skipped.

        A past moment is skipped if the one after it is due as well: a delayed probe continues with the present
        instead of catching up in a burst.
        """
        latest = int((now - self._start) // self._interval)
        skipped = max(0, latest - self._next)
        due = self._start + int((self._next + skipped) * self._interval)
        self._next += skipped + 1
        return due, skipped
