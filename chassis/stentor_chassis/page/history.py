"""What the counters were in the last minutes."""

import asyncio
import time
from array import array
from collections import deque
from typing import Any

from stentor_chassis.counters.collector import LiveRows
from stentor_chassis.counters.shared_counters import CONTROL, GONE, SharedCounters
from stentor_chassis.page.view import Columns, View

INTERVAL_SECONDS = 2.0
WINDOW_SECONDS = 300.0
_MOST = int(WINDOW_SECONDS / INTERVAL_SECONDS) + 1  # fences and posts


class History:
    """A ring of snapshots of what a page shows, taken by the control process from the counters.

    A snapshot costs no worker anything, and the ring never takes more than some ten thousand integers. It is there
    before anybody looks, so that a page that is opened late shows what came before.
    """

    def __init__(self, counters: SharedCounters, live_rows: LiveRows, view: View) -> None:
        """Begin, at the age of 0 s, with the first snapshot."""
        self._counters = counters
        self._live_rows = live_rows
        self._columns = Columns(counters.schema, view)
        self._view = self._columns.describe()
        self._clock = time.monotonic()
        self._taken = 0
        self._snapshots: deque[tuple[float, array[int]]] = deque(maxlen=_MOST)
        self.take()

    async def run(self) -> None:
        """Take a snapshot at every interval, until cancelled."""
        while True:
            await asyncio.sleep(INTERVAL_SECONDS)
            self.take()

    def take(self) -> None:
        """Take a snapshot; the oldest goes when there are more than the window needs."""
        rows = [CONTROL, GONE, *(row for rows in self._live_rows().values() for row in rows)]
        totals = self._counters.totals([self._counters.row(row).tolist() for row in rows])
        self._snapshots.append((round(time.monotonic() - self._clock, 3), self._columns.read(totals)))
        self._taken += 1

    def since(self, number: int) -> dict[str, Any]:
        """Return what is in the columns, and the snapshots from this number on: age in seconds, then the columns.

        Snapshots are numbered from 0; `next` is the number to ask for the next time.
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
