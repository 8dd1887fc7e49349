"""Which connections are admitted, and how many."""

import os
import resource
from collections.abc import Iterator
from typing import Any

import pytest

from stentor_server.guard import admission as admission_module
from stentor_server.guard.addresses import AddressCounts
from stentor_server.guard.admission import SPARE_DESCRIPTORS, Admission, Networks, raise_descriptor_limit, room
from stentor_server.metrics import RejectReason
from unit.server.serving import options

CLIENT, OTHER, UNIX = ("192.0.2.1", 4000), ("203.0.113.7", 4000), ()


def _admission(open_by_worker: list[int], counts: AddressCounts | None = None, **changes: Any) -> Admission:
    return Admission(options(**changes), open_by_worker, counts)


@pytest.fixture
def counts() -> Iterator[AddressCounts]:
    """A table of one worker."""
    fd = AddressCounts.create(1, 10)
    yield AddressCounts(fd, 1, 0)
    os.close(fd)


@pytest.mark.parametrize(
    ("networks", "host", "inside"),
    [
        (["192.0.2.0/24"], "192.0.2.255", True),
        (["192.0.2.0/24"], "192.0.3.0", False),
        (["198.51.100.1/32", "192.0.2.0/24"], "192.0.2.9", True),
        (["::/0"], "192.0.2.1", False),
        (["fe80::/10"], "fe80::1%eth0", True),
        (["192.0.2.0/24"], "::ffff:192.0.2.7", True),
    ],
)
def test_networks(networks: list[str], host: str, *, inside: bool) -> None:
    """An address is in a set of networks if it is in one of them; an IPv4-mapped IPv6 address is IPv4."""
    assert inside == (host in Networks(networks))


def test_limit_of_all_workers() -> None:
    """The limit counts the connections of all workers, as they are now."""
    open_by_worker = [1, 1, 0]
    admission = _admission(open_by_worker, max_connections=3)
    assert admission.refusal(0) is None
    open_by_worker[1] = 2
    assert admission.refusal(0) == RejectReason.MAX_CONNECTIONS


def test_limit_of_one_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker accepts as many connections as its descriptors allow, and not one more."""
    monkeypatch.setattr(admission_module, "room", lambda: 5)
    admission = _admission([5], max_connections=1000)
    assert admission.refusal(4) is None
    assert admission.refusal(5) == RejectReason.MAX_CONNECTIONS


def test_allowed_networks(counts: AddressCounts) -> None:
    """With networks no other client may connect, which is what it gets to know first."""
    admission = _admission([], counts, max_connections_per_address=1, allow=("192.0.2.0/24",))
    counts.add("203.0.113.7")
    assert admission.refusal_of(CLIENT) is admission.refusal_of(UNIX) is None
    assert admission.refusal_of(OTHER) == RejectReason.NOT_ALLOWED


def test_descriptor_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The soft limit is raised to the hard limit; all descriptors but a few are for connections."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
        assert room() == 256 - SPARE_DESCRIPTORS
        raise_descriptor_limit()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (before[1], before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    done = []
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (256, resource.RLIM_INFINITY))
    monkeypatch.setattr(resource, "setrlimit", lambda _which, limits: done.append(limits))
    raise_descriptor_limit()
    assert done == [(1_000_000, 1_000_000)]  # tables need a size
