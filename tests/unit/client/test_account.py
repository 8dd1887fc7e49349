"""The counts of a client process that no probe shows."""

from stentor_client import metrics
from stentor_client.account import Account
from stentor_client.metrics import SCHEMA
from stentor_client.verify.outcomes import Outcome


def test_unused_connections() -> None:
    """A connection that ended before it could be used was opened, and is lost if there is an outcome."""
    account = Account()
    account.unused(7, None)
    account.unused(8, Outcome.TLS)
    *buckets, ages = account.row[SCHEMA.slots(metrics.AGE)]
    assert [account.row[SCHEMA.slot(metric)] for metric in (metrics.OPENED, metrics.ACTIVE)] == [2, 0]
    assert (sum(buckets), ages) == (2, 15)
    assert account.row[SCHEMA.slot(metrics.LOST, Outcome.TLS)] == sum(account.row[SCHEMA.slots(metrics.LOST)]) == 1


def test_outcomes_of_lost_connections() -> None:
    """Every outcome that can end an open connection is counted; those of a connection never made are not."""
    never_made = {Outcome.DNS, Outcome.REFUSED, Outcome.UNREACHABLE, Outcome.CONNECT_TIMEOUT}
    assert set(Outcome) - never_made - {Outcome.OK} == set(metrics.LOST.values)
