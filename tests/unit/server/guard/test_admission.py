"""Who may come in, and how many."""

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


@pytest.fixture
def limits() -> Iterator[None]:
    """What is done to this process's limits is undone."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.fixture
def counts() -> Iterator[AddressCounts]:
    """A table of one worker."""
    fd = AddressCounts.create(1, 10)
    yield AddressCounts(fd, 1, 0)
    os.close(fd)


def _admission(open_by_worker: list[int], counts: AddressCounts | None = None, **changes: Any) -> Admission:
    return Admission(options(**changes), open_by_worker, counts)


@pytest.mark.parametrize(
    ("networks", "host", "inside"),
    [
        ([], "192.0.2.1", False),
        (["192.0.2.0/24"], "192.0.2.255", True),
        (["192.0.2.0/24"], "192.0.3.0", False),
        (["198.51.100.1/32", "192.0.2.0/24"], "192.0.2.9", True),
        (["0.0.0.0/0"], "203.0.113.7", True),
        (["0.0.0.0/0"], "2001:db8::1", False),
        (["::/0"], "192.0.2.1", False),
        (["2001:db8::/32"], "2001:db8:ffff::1", True),
        (["2001:db8::/32"], "2001:db9::1", False),
        (["fe80::/10"], "fe80::1%eth0", True),
        (["192.0.2.0/24"], "::ffff:192.0.2.7", True),
        (["192.0.2.0/24"], "::ffff:192.0.3.7", False),
    ],
)
def test_networks(networks: list[str], host: str, *, inside: bool) -> None:
    """An address is in a set of networks if it is in one; one of IPv4 stays that when it is written as IPv6."""
    assert inside == (host in Networks(networks))


@pytest.mark.parametrize(
    ("open_by_worker", "refused"), [([], False), ([2, 0, 0], False), ([1, 1, 1], True), ([3], True), ([0, 4], True)]
)
def test_limit_of_all(open_by_worker: list[int], *, refused: bool) -> None:
    """The limit is of the connections that all workers have together."""
    reason = _admission(open_by_worker, max_connections=3).refusal(0)
    assert reason == (RejectReason.MAX_CONNECTIONS if refused else None)


def test_limit_is_read_anew() -> None:
    """What others have open is looked up each time."""
    open_by_worker = [0, 0]
    admission = _admission(open_by_worker, max_connections=3)
    assert admission.refusal(0) is None
    open_by_worker[1] = 3
    assert admission.refusal(0) == RejectReason.MAX_CONNECTIONS


def test_room_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """One worker takes as many as its descriptors have room for, and not one more."""
    monkeypatch.setattr(admission_module, "room", lambda: 5)
    admission = _admission([5], max_connections=1000)
    assert admission.refusal(4) is None
    assert admission.refusal(5) == RejectReason.MAX_CONNECTIONS


def test_everybody_is_allowed() -> None:
    """Without networks, and without a limit per address, everybody may come, as often as they like."""
    admission = _admission([])
    for _ in range(50):
        assert admission.refusal_of("203.0.113.7") is None
        admission.enter("203.0.113.7")
    admission.leave("203.0.113.7")


def test_allowed_networks() -> None:
    """With networks, nobody else may come."""
    admission = _admission([], allow=("192.0.2.0/24",))
    assert admission.refusal_of("192.0.2.1") is None
    assert admission.refusal_of("203.0.113.7") == RejectReason.NOT_ALLOWED


def test_limit_per_address(counts: AddressCounts) -> None:
    """An address may have so many and no more, until one of them ends."""
    admission = _admission([], counts, max_connections_per_address=2)
    for _ in range(2):
        assert admission.refusal_of("192.0.2.1") is None
        admission.enter("192.0.2.1")
    assert admission.refusal_of("192.0.2.1") == RejectReason.PER_ADDRESS
    assert admission.refusal_of("192.0.2.2") is None
    admission.leave("192.0.2.1")
    assert admission.refusal_of("192.0.2.1") is None
    assert counts["192.0.2.1"] == 1


def test_not_allowed_goes_before_the_limit(counts: AddressCounts) -> None:
    """Who may not come at all is told that."""
    admission = _admission([], counts, max_connections_per_address=1, allow=("192.0.2.0/24",))
    counts.add("203.0.113.7")
    assert admission.refusal_of("203.0.113.7") == RejectReason.NOT_ALLOWED


def test_descriptor_limit(limits: None) -> None:
    """The limit of descriptors is raised as far as it goes, and all but a few are for connections."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    assert room() == 256 - SPARE_DESCRIPTORS
    raise_descriptor_limit()
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
    assert room() == hard - SPARE_DESCRIPTORS


def test_no_descriptor_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system sets no limit, there is one all the same: tables have a size."""
    done = []
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (256, resource.RLIM_INFINITY))
    monkeypatch.setattr(resource, "setrlimit", lambda _which, limits: done.append(limits))
    raise_descriptor_limit()
    assert done == [(1_000_000, 1_000_000)]
