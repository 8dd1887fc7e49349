"""The counters of all processes of a service, in one shared anonymous mapping.

Written by hand because the library's multiprocess mode takes a lock and writes to a file for each increment.
"""

import mmap
import operator
import os
from collections.abc import Callable, Mapping
from functools import reduce

from stentor_chassis.counters.metrics import Counter, Gauge, Histogram, Schema

SLOT_BYTES = 8
CONTROL, GONE = 0, 1  # the rows of the control process, and of all workers that have exited
FIRST_WORKER = 2
ROW_ALIGNMENT = 128  # two cache lines, because processors prefetch adjacent lines in pairs

# The rows of each live worker, by its number; a retired worker's row is beside that of its successor.
LiveRows = Callable[[], Mapping[int, list[int]]]


class SharedCounters:
    """Rows of 64-bit slots: one for the control process, one for all workers that have exited, one for each worker.

    One process writes a slot and any may read it, so the hot path is a plain integer addition without a lock. Nothing
    is on disk: the mapping is a memfd and disappears with its last process.
    """

    def __init__(self, schema: Schema, rows: int, fd: int | None = None) -> None:
        """Create the mapping, or attach to that of `fd`."""
        self.schema = schema
        self.rows = rows
        stride = -(-schema.row_slots * SLOT_BYTES // ROW_ALIGNMENT) * ROW_ALIGNMENT
        self.stride = stride // SLOT_BYTES
        if fd is None:
            fd = os.memfd_create(f"{schema.service}-metrics")
            os.ftruncate(fd, rows * stride)
        self.fd = fd
        self.slots = memoryview(mmap.mmap(fd, rows * stride)).cast("q")

    def row(self, number: int) -> "memoryview[int]":
        """Return the slots of one row: a view of the mapping."""
        start = number * self.stride
        return self.slots[start : start + self.schema.row_slots]

    def column(self, slot: int) -> "memoryview[int]":
        """Return one slot of every row."""
        return self.slots[slot :: self.stride]

    def read(self, live_rows: Mapping[int, list[int]]) -> tuple[list[int], dict[int, list[list[int]]]]:
        """Copy each row in use once; return their totals, and the copies of each live worker's rows.

        A row is copied slot after slot, in the order of declaration, while its worker writes.
        """
        workers = {number: [self.row(row).tolist() for row in rows] for number, rows in live_rows.items()}
        shared = [self.row(CONTROL).tolist(), self.row(GONE).tolist()]
        return self.totals(sum(workers.values(), shared)), workers

    def totals(self, rows: list[list[int]]) -> list[int]:
        """Merge copies of rows: counters and histograms by addition, gauges as declared."""
        merged = list(reduce(lambda one, other: list(map(operator.add, one, other)), rows))  # never one of `rows`
        for metric in self.schema.stored:
            if isinstance(metric, Gauge) and metric.across != "sum":
                slots = self.schema.slots(metric)
                merged[slots] = [max(column) for column in zip(*(row[slots] for row in rows), strict=True)]
        for slot, plus in self.schema.sums:
            merged[slot] += merged[plus]
        return merged

    def absorb(self, number: int) -> None:
        """Add the row of a worker that has exited to that of all such workers, and clear it for another.

        Values of live workers only are dropped; all others stay counted. No scrape can see this half
        done, because the same thread answers scrapes.
        """
        row, gone = self.row(number), self.row(GONE)
        for slot, plus in self.schema.sums:
            row[slot] += row[plus]
        for metric in self.schema.stored:
            slots = self.schema.slots(metric)
            for slot in range(slots.start, slots.stop):
                if isinstance(metric, Counter | Histogram):
                    gone[slot] += row[slot]
                elif isinstance(metric, Gauge) and metric.across == "peak":
                    gone[slot] = max(gone[slot], row[slot])
                row[slot] = 0
