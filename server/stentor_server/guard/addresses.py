"""Open connections per client address, across all workers."""

import mmap
import os
from collections.abc import Sequence
from hashlib import blake2b

_KEY_BYTES = 16
_WINDOW = 64  # places for the entry of an address: far more than needed in a table that is a quarter full
_SLOT_BYTES = 8


class AddressCounts:
    """A table for each worker in shared memory: one process writes it, all read it, and there is no lock.

    An entry is a hashed address and a count. Its place is one of `_WINDOW` places, whose start follows from the hash.
    The hash is keyed, so that an attacker cannot choose addresses that collide.
    """

    def __init__(self, fd: int, rows: int, row: int, open_by_row: Sequence[int] = ()) -> None:
        """Attach to a descriptor of `create`; `row` is this worker's, and is cleared of a predecessor's entries.

        A row without open connections in `open_by_row` is left over from a killed worker, and ignored.
        """
        size = os.fstat(fd).st_size
        shared = mmap.mmap(fd, size)
        self._key = shared[:_KEY_BYTES]
        row_bytes = (size - mmap.PAGESIZE) // rows
        starts = [mmap.PAGESIZE + each * row_bytes for each in range(rows)]
        _clear(shared, starts[row], row_bytes)
        width = row_bytes // _SLOT_BYTES // 2
        self._places = width - _WINDOW
        slots = [memoryview(shared)[start : start + row_bytes].cast("q") for start in starts]
        self._hashes = [each[:width] for each in slots]
        self._counts = [each[width:] for each in slots]
        self._row = row
        self._open_by_row = open_by_row
        self._own: dict[int, int] = {}  # places of this worker's entries, by hash

    @staticmethod
    def create(rows: int, connections: int) -> int:
        """Return a descriptor of shared memory for `connections` in each of `rows` workers."""
        fd = os.memfd_create("stentor-addresses")
        row_bytes = 2 * (4 * connections + _WINDOW) * _SLOT_BYTES
        pages = 1 + rows * -(-row_bytes // mmap.PAGESIZE)  # one for the key, and whole pages for each row
        os.truncate(fd, pages * mmap.PAGESIZE)
        os.write(fd, os.urandom(_KEY_BYTES))
        return fd

    def __getitem__(self, host: str) -> int:
        """Return how many connections an address has open."""
        digest = self._digest(host)
        window = self._window(digest)
        total = 0
        for row, (hashes, counts) in enumerate(zip(self._hashes, self._counts, strict=True)):
            if self._open_by_row and not self._open_by_row[row]:
                continue
            seen = hashes[window].tolist()
            if digest in seen:
                total += counts[window.start + seen.index(digest)]
        return total

    def add(self, host: str) -> None:
        """Count a connection."""
        digest = self._digest(host)
        place = self._own.get(digest)
        if place is None:
            window = self._window(digest)
            place = window.start + self._hashes[self._row][window].tolist().index(0)
            self._own[digest] = place
            self._counts[self._row][place] = 0
            self._hashes[self._row][place] = digest
        self._counts[self._row][place] += 1

    def remove(self, host: str) -> None:
        """Stop counting one."""
        digest = self._digest(host)
        place = self._own[digest]
        self._counts[self._row][place] -= 1
        if not self._counts[self._row][place]:
            self._hashes[self._row][place] = 0
            del self._own[digest]

    def _digest(self, host: str) -> int:
        digest = blake2b(host.encode(), digest_size=_SLOT_BYTES, key=self._key).digest()
        return int.from_bytes(digest, "little") >> 1 or 1  # positive; 0 marks an empty place

    def _window(self, digest: int) -> slice:
        start = digest % self._places
        return slice(start, start + _WINDOW)


def _clear(shared: mmap.mmap, start: int, size: int) -> None:
    try:
        shared.madvise(mmap.MADV_REMOVE, start, size)  # frees the memory, which reading would allocate
    except OSError:  # not supported everywhere
        shared[start : start + size] = bytes(size)
