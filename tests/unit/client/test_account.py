"""What a client process counts."""

import time
from typing import Any

from stentor_client.account import Account
from stentor_client.metrics import (
    ACTIVE,
    AGE,
    EXCHANGES,
    LAST_SUCCESS,
    LOST,
    OPENED,
    SCHEMA,
    UP,
)
from stentor_client.verify.outcomes import Outcome


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
    account.closed(5_000_000)
    assert [account.row[SCHEMA.slot(metric)] for metric in (OPENED, ACTIVE)] == [2, 1]
    assert _observed(account, AGE) == (1, 5_000_000)
    account.unused(7, None)
    account.unused(8, Outcome.TLS)
    assert [account.row[SCHEMA.slot(metric)] for metric in (OPENED, ACTIVE)] == [4, 1]
    assert (account.row[SCHEMA.slot(LOST, Outcome.TLS)], _observed(account, AGE)) == (1, (3, 5_000_015))
    never_made = {Outcome.DNS, Outcome.REFUSED, Outcome.UNREACHABLE, Outcome.CONNECT_TIMEOUT}
    assert set(Outcome) - never_made - {Outcome.OK} == set(LOST.values)


def test_exchanges() -> None:
    """Each outcome counts; the target is up while the last exchange was good, and the last good one has its time."""
    account = Account()
    for outcome in Outcome:
        account.exchange(outcome)
        assert account.row[SCHEMA.slot(EXCHANGES, outcome)] == 1
        assert (outcome is Outcome.OK) == account.row[SCHEMA.slot(UP)]
    before = account.row[SCHEMA.slot(LAST_SUCCESS)]
    account.exchange(Outcome.MISMATCH)
    assert before == account.row[SCHEMA.slot(LAST_SUCCESS)]
    account.exchange(Outcome.OK, up=False)
    assert account.row[SCHEMA.slot(UP)] == 0
    assert before < account.row[SCHEMA.slot(LAST_SUCCESS)] <= time.time_ns()
