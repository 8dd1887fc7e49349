"""What a client process counts."""

import time
from typing import Any

from stentor_client import metrics
from stentor_client.account import Account
from stentor_client.metrics import SCHEMA
from stentor_client.verify.outcomes import Outcome, Phase


def _counted(account: Account, *counters: Any) -> list[int]:
    """Return the values of these counters, after seeing that no other slot has one."""
    slots = [SCHEMA.slot(*each) if isinstance(each, tuple) else SCHEMA.slot(each) for each in counters]
    assert all(not account.row[slot] for slot in range(SCHEMA.row_slots) if slot not in slots)
    return [account.row[slot] for slot in slots]


def _observed(account: Account, metric: Any, value: str = "") -> tuple[int, int]:
    """Return how many observations a histogram has, and their sum."""
    *buckets, total = (account.row[SCHEMA.slot(metric, value) + slot] for slot in range(metric.width))
    return sum(buckets), total


def test_connections() -> None:
    """Connections are active until they end, with an age; lost ones are counted by what ended them.

    Every outcome that can end an open connection is counted; those of a connection never made are not.
    """
    account = Account()
    for _ in range(2):
        account.opened()
    assert _counted(account, metrics.OPENED, metrics.ACTIVE) == [2, 2]
    account.closed(5_000_000)
    assert [account.row[SCHEMA.slot(metric)] for metric in (metrics.OPENED, metrics.ACTIVE)] == [2, 1]
    assert _observed(account, metrics.AGE) == (1, 5_000_000)
    account.unused(7, None)
    account.unused(8, Outcome.TLS)
    assert [account.row[SCHEMA.slot(metric)] for metric in (metrics.OPENED, metrics.ACTIVE)] == [4, 1]
    assert (account.row[SCHEMA.slot(metrics.LOST, Outcome.TLS)], _observed(account, metrics.AGE)) == (1, (3, 5_000_015))
    never_made = {Outcome.DNS, Outcome.REFUSED, Outcome.UNREACHABLE, Outcome.CONNECT_TIMEOUT}
    assert set(Outcome) - never_made - {Outcome.OK} == set(metrics.LOST.values)


def test_lost_after_long_idle() -> None:
    """Of the lost connections, those that had been idle for 30 s or more are counted once more."""
    account = Account()
    for idle in (0, 29_999_999_999, 30_000_000_000, 86_400_000_000_000):
        account.lost(Outcome.EOF, idle)
    assert _counted(account, (metrics.LOST, Outcome.EOF), metrics.LOST_IDLE) == [4, 2]


def test_sums() -> None:
    """Bytes, late sends and segments sent again add up; the round trip time is the last one seen."""
    account = Account()
    for nbytes in (1, 20, 300):
        account.sent(nbytes)
        account.received(2 * nbytes)
    account.late()
    account.late(4)
    account.kernel(900, 2)
    account.kernel(40, 3)
    assert _counted(account, metrics.SENT, metrics.RECEIVED, metrics.LATE, metrics.RTT, metrics.RETRANSMITS) == [
        321,
        642,
        5,
        40,
        5,
    ]
    assert (account.sent_bytes, account.received_bytes) == (321, 642)


def test_exchanges() -> None:
    """Each outcome counts; the target is up while the last exchange was good, and the last good one has its time."""
    account = Account()
    for outcome in Outcome:
        account.exchange(outcome)
        assert account.row[SCHEMA.slot(metrics.EXCHANGES, outcome)] == 1
        assert (outcome is Outcome.OK) == account.row[SCHEMA.slot(metrics.UP)]
    before = account.row[SCHEMA.slot(metrics.LAST_SUCCESS)]
    account.exchange(Outcome.MISMATCH)
    assert before == account.row[SCHEMA.slot(metrics.LAST_SUCCESS)]
    account.exchange(Outcome.OK, up=False)
    assert account.row[SCHEMA.slot(metrics.UP)] == 0
    assert before < account.row[SCHEMA.slot(metrics.LAST_SUCCESS)] <= time.time_ns()


def test_times() -> None:
    """Response time, service time and the phases are each in a histogram of their own."""
    account = Account()
    account.times(7_000_000, 5_000_000)
    account.phases({Phase.CONNECT: 300_000, Phase.RESOLVE: 1_000, Phase.FIRST_BYTE: 9})
    assert (_observed(account, metrics.RESPONSE_TIME), _observed(account, metrics.SERVICE_TIME)) == (
        (1, 7_000_000),
        (1, 5_000_000),
    )
    phases = [_observed(account, metrics.PHASE_DURATION, phase) for phase in metrics.PHASE_DURATION.values]
    assert phases == [(1, 1_000), (1, 300_000), (0, 0), (1, 9)]
