"""The recent history of the counters."""

import asyncio
import time
from array import array
from collections import deque
from typing import Any

from stentor_chassis.counters.shared_counters import LiveRows, SharedCounters
from stentor_chassis.page.view import Columns, View

INTERVAL_SECONDS = 2.0
WINDOW_SECONDS = 300.0
_MOST = int(WINDOW_SECONDS / INTERVAL_SECONDS) + 1


class History:
    """A ring of snapshots of the values on a page, made in the control process from the counters.

    Snapshots cost the workers nothing, and the ring has at most about ten thousand integers. It is filled from the
    start, so that a page shows the minutes before it was opened.
    """

    def __init__(self, counters: SharedCounters, live_rows: LiveRows, view: View) -> None:
        """Make the first snapshot, of age 0 s."""
        self._counters = counters
        self._live_rows = live_rows
        self._columns = Columns(counters.schema, view)
        self._view = self._columns.describe()
        self._clock = time.monotonic()
        self._taken = 0
        self._snapshots: deque[tuple[float, array[int]]] = deque(maxlen=_MOST)
        self.take()

    async def run(self) -> None:
        """Make a snapshot at every interval, until cancelled."""
        while True:
            await asyncio.sleep(INTERVAL_SECONDS)
            self.take()

    def take(self) -> None:
        """Make a snapshot, and drop the oldest if the ring is full."""
        totals, _ = self._counters.read(self._live_rows())
        self._snapshots.append((round(time.monotonic() - self._clock, 3), self._columns.read(totals)))
        self._taken += 1

    def since(self, number: int) -> dict[str, Any]:
        """Return the meaning of the columns, and the snapshots from this number on: age in seconds, then the columns.

        Snapshots are numbered from 0; `next` is the number to request next time.
        """
        kept = self._taken - len(self._snapshots)
        fresh = list(self._snapshots)[max(0, number - kept) :]
        return {
            "interval_seconds": INTERVAL_SECONDS,
            "window_seconds": WINDOW_SECONDS,
            "view": self._view,
            "next": self._taken,
            "snapshots": [[age, *columns] for age, columns in fresh],
        }
