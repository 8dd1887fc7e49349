"""The counters of all processes of a service, in one shared anonymous mapping."""

import mmap
import operator
import os
from functools import reduce

from stentor_chassis.counters.metrics import Counter, Gauge, Histogram, Schema

SLOT_BYTES = 8
CONTROL, GONE = 0, 1  # the rows of the control process, and of the workers that are gone
FIRST_WORKER = 2
ROW_ALIGNMENT = 128  # two cache lines: adjacent-line prefetch would make neighbours share


class SharedCounters:
    """Rows of 64-bit slots: one of the control process, one of all workers that are gone, one of each worker.

    One process writes a slot and any may read it, so the hot path is a plain integer addition without a lock. Nothing
    is on disk: the mapping is a memfd and goes when its last process does.
    """

    def __init__(self, schema: Schema, rows: int, fd: int | None = None) -> None:
        """Create the mapping, or attach to the one behind `fd`."""
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
        """Return the slots of one row; writing to them is writing to the mapping."""
        start = number * self.stride
        return self.slots[start : start + self.schema.row_slots]

    def column(self, slot: int) -> "memoryview[int]":
        """Return one slot of every row."""
        return self.slots[slot :: self.stride]

    def totals(self, rows: list[list[int]]) -> list[int]:
        """Merge copies of rows, counters and histograms by addition, gauges as they are declared."""
        merged = list(reduce(lambda one, other: list(map(operator.add, one, other)), rows))  # never one of `rows`
        for metric in self.schema.stored:
            if isinstance(metric, Gauge) and metric.across != "sum":
                where = self.schema.slots(metric)
                merged[where] = [max(column) for column in zip(*(row[where] for row in rows), strict=True)]
        for slot, plus in self.schema.sums:
            merged[slot] += merged[plus]
        return merged

    def fold(self, number: int) -> None:
        """Fold a row whose writer is gone into that of all that are gone, and clear it for another worker.

        What is of living workers goes with the worker; everything else stays counted. Between two scrapes this is
        atomic, because the thread that answers scrapes is the one that folds.
        """
        row, gone = self.row(number), self.row(GONE)
        for slot, plus in self.schema.sums:
            row[slot] += row[plus]
        for metric in self.schema.stored:
            where = self.schema.slots(metric)
            for slot in range(where.start, where.stop):
                if isinstance(metric, Counter | Histogram):
                    gone[slot] += row[slot]
                elif isinstance(metric, Gauge) and metric.across == "peak":
                    gone[slot] = max(gone[slot], row[slot])
                row[slot] = 0
