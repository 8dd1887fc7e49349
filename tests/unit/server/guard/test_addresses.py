"""How many connections each address has open."""

import errno
import mmap
import os
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stentor_server.guard.addresses import AddressCounts

ROWS = 4
HOSTS = [*(f"192.0.2.{number}" for number in range(11)), "2001:db8::1"]


@pytest.fixture
def fd() -> Iterator[int]:
    """A table for a hundred connections in each row."""
    fd = AddressCounts.create(ROWS, 100)
    yield fd
    os.close(fd)


def test_any_workers() -> None:
    """After any additions and removals by any workers, and replacements of those, every count is exact for all.

    The table is so small that the places of most addresses overlap.
    """
    fd = AddressCounts.create(ROWS, 3)

    @settings(max_examples=60)
    @given(
        st.lists(
            st.tuples(st.integers(0, ROWS - 1), st.sampled_from(HOSTS), st.sampled_from(["add", "remove", "replace"])),
            max_size=60,
        )
    )
    def law(acts: list[tuple[int, str, str]]) -> None:
        workers = [AddressCounts(fd, ROWS, row) for row in range(ROWS)]
        model = [Counter[str]() for _ in range(ROWS)]
        for row, host, act in acts:
            if act == "add":
                workers[row].add(host)
                model[row][host] += 1
            elif act == "remove" and model[row][host]:
                workers[row].remove(host)
                model[row][host] -= 1
            elif act == "replace" and host is HOSTS[0]:  # seldom
                workers[row] = AddressCounts(fd, ROWS, row)
                model[row].clear()
            total = sum(model, Counter())
            for worker in workers:
                assert [total[each] for each in HOSTS] == [worker[each] for each in HOSTS]

    law()
    os.close(fd)


class Plain(mmap.mmap):
    """A mapping on a system that cannot give memory back."""

    def madvise(self, *_: int) -> None:
        """Fail."""
        raise OSError(errno.EINVAL, "Invalid argument")


@pytest.mark.parametrize("mapping", [mmap.mmap, Plain])
def test_row_is_cleared_for_its_next_worker(fd: int, monkeypatch: pytest.MonkeyPatch, mapping: type) -> None:
    """The entries of a predecessor do not count once another worker uses its row; the other rows stay."""
    monkeypatch.setattr(mmap, "mmap", mapping)
    workers = [AddressCounts(fd, ROWS, row) for row in (1, 2)]
    for worker in workers:
        for host in HOSTS:
            worker.add(host)
    successor = AddressCounts(fd, ROWS, 2)
    for each in (successor, workers[0]):
        assert [each[host] for host in HOSTS] == [1] * len(HOSTS)
    successor.add(HOSTS[0])
    assert workers[0][HOSTS[0]] == 2


def test_row_without_open_connections(fd: int) -> None:
    """A row whose worker was killed has no open connections, and is ignored."""
    open_by_row = [0, 1, 0, 0]
    reader, killed = AddressCounts(fd, ROWS, 0, open_by_row), AddressCounts(fd, ROWS, 1)
    killed.add(HOSTS[0])
    assert reader[HOSTS[0]] == 1
    open_by_row[1] = 0
    assert reader[HOSTS[0]] == 0


def test_full_table(fd: int) -> None:
    """With as many connections as there can be, each of another address, all are counted, and again after they end."""
    counts = AddressCounts(fd, ROWS, 1)
    for first in (0, 1000):
        hosts = [f"10.0.{(first + number) // 256}.{(first + number) % 256}" for number in range(100)]
        for host in hosts:
            counts.add(host)
        assert [counts[host] for host in hosts] == [1] * 100
        for host in hosts:
            counts.remove(host)
        assert [counts[host] for host in hosts] == [0] * 100


def test_random_keys() -> None:
    """Two tables have different places for the same address: their keys are random."""
    digests = set()
    for _ in range(4):
        fd = AddressCounts.create(1, 10)
        digests.add(AddressCounts(fd, 1, 0)._digest("192.0.2.1"))
        os.close(fd)
    assert len(digests) == 4
