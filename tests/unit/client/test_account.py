"""What a client process counts."""

import time
from collections.abc import Callable

from stentor_chassis.counters.metrics import Metric, Schema
from stentor_chassis.counters.shared_counters import SharedCounters
from stentor_client.account import Account
from stentor_client.metrics import (
    ACTIVE,
    AGE,
    EXCHANGES,
    LAST_SUCCESS,
    LATE,
    LOST,
    LOST_IDLE,
    OPENED,
    PHASE_DURATION,
    RECEIVED,
    RESPONSE_TIME,
    RETRANSMITS,
    RTT,
    SCHEMA,
    SENT,
    SERVICE_TIME,
    TIMED,
    UP,
)
from stentor_client.verify.outcomes import Outcome, Phase


def _changed(account: Account) -> dict[int, int]:
    return {slot: value for slot, value in enumerate(list(account.row)) if value}  # type: ignore[call-overload]


def _slots(**values: int) -> dict[int, int]:
    return {SCHEMA.slot(_NAMED[name]): value for name, value in values.items()}


_NAMED: dict[str, Metric] = {
    "opened": OPENED,
    "active": ACTIVE,
    "sent": SENT,
    "received": RECEIVED,
    "late": LATE,
    "up": UP,
}


def test_connections() -> None:
    """Opened connections are open until they are closed, with an age; lost ones are counted by what ended them."""
    account = Account()
    account.opened()
    account.opened()
    assert _slots(opened=2, active=2) == _changed(account)
    account.closed(5_000_000)
    account.lost(Outcome.RESET, 0)
    assert (account.row[SCHEMA.slot(OPENED)], account.row[SCHEMA.slot(ACTIVE)]) == (2, 1)
    assert account.row[SCHEMA.slot(LOST, Outcome.RESET)] == 1
    ages = [account.row[slot] for slot in range(SCHEMA.slots(AGE).start, SCHEMA.slots(AGE).stop)]
    assert (sum(ages[:-1]), ages[-1]) == (1, 5_000_000)


def test_lost_after_long_idle() -> None:
    """Of the lost connections, those that had been idle for 30 s or more are counted once more."""
    account = Account()
    for idle in (0, 29_999_999_999, 30_000_000_000, 86_400_000_000_000):
        account.lost(Outcome.EOF, idle)
    assert {SCHEMA.slot(LOST, Outcome.EOF): 4, SCHEMA.slot(LOST_IDLE): 2} == _changed(account)


def test_bytes_and_late_sends() -> None:
    """Bytes and late sends add up."""
    account = Account()
    for nbytes in (1, 20, 300):
        account.sent(nbytes)
        account.received(2 * nbytes)
    account.late()
    account.late(4)
    account.late(0)
    assert _slots(sent=321, received=642, late=5) == _changed(account)
    assert (account.sent_bytes, account.received_bytes) == (321, 642)


def test_exchanges() -> None:
    """Each outcome counts, the target is up while the last one was good, and the last good one has its time."""
    account = Account()
    for outcome in Outcome:
        account.exchange(outcome)
        assert account.row[SCHEMA.slot(EXCHANGES, outcome)] == 1
        assert (outcome is Outcome.OK) == account.row[SCHEMA.slot(UP)]
    before = account.row[SCHEMA.slot(LAST_SUCCESS)]
    account.exchange(Outcome.MISMATCH)
    assert before == account.row[SCHEMA.slot(LAST_SUCCESS)]
    account.exchange(Outcome.OK)
    assert before < account.row[SCHEMA.slot(LAST_SUCCESS)] <= time.time_ns()


def test_times() -> None:
    """Response time, service time and the phases are each in a histogram of their own."""
    account = Account()
    account.times(7_000_000, 5_000_000)
    account.phase(Phase.CONNECT, 300_000)
    sums = {
        SCHEMA.slots(RESPONSE_TIME).stop - 1: 7_000_000,
        SCHEMA.slots(SERVICE_TIME).stop - 1: 5_000_000,
        SCHEMA.slot(PHASE_DURATION, Phase.CONNECT) + PHASE_DURATION.width - 1: 300_000,
    }
    changed = _changed(account)
    assert sums.items() <= changed.items()
    assert [value for slot, value in changed.items() if slot not in sums] == [1, 1, 1]


def test_way() -> None:
    """Each phase of a way to a connection is observed once; one that was not there, TLS, is not."""
    account = Account()
    account.dialed({Phase.RESOLVE: 1_000, Phase.CONNECT: 2_000})
    observed = {
        phase: sum(account.row[SCHEMA.slot(PHASE_DURATION, phase) + slot] for slot in range(PHASE_DURATION.width - 1))
        for phase in TIMED
    }
    assert observed == {Phase.RESOLVE: 1, Phase.CONNECT: 1, Phase.TLS: 0, Phase.FIRST_BYTE: 0}


def test_kernel() -> None:
    """The round trip time is that of the last look, and segments sent again add up."""
    account = Account()
    account.kernel(900, 2)
    account.kernel(40, 3)
    assert {SCHEMA.slot(RTT): 40, SCHEMA.slot(RETRANSMITS): 5} == _changed(account)


def test_target_of_several_addresses() -> None:
    """Whether the target is up can be said by who knows more than this exchange."""
    account = Account()
    account.exchange(Outcome.OK, up=False)
    assert account.row[SCHEMA.slot(UP)] == 0
    assert account.row[SCHEMA.slot(LAST_SUCCESS)] > 0


def test_counts_in_the_row_it_is_given(new_counters: Callable[[Schema, int], SharedCounters]) -> None:
    """In a worker it counts in the worker's row of the counters, where the control process reads."""
    counters = new_counters(SCHEMA, 2)
    account = Account(counters.row(1))
    account.sent(5)
    assert list(counters.column(SCHEMA.slot(SENT))) == [0, 5]
