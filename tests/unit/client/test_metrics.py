"""What the client declares."""

from itertools import pairwise

from stentor_chassis.counters.histogram import NANOSECONDS
from stentor_client.metrics import EXCHANGES, LAST_SUCCESS, LOST, PHASE_DURATION, SCHEMA, TIMED
from stentor_client.verify.outcomes import Outcome


def test_every_outcome_has_a_series() -> None:
    """Exchanges are counted by every outcome there is, one slot for each."""
    assert len(Outcome) == len({SCHEMA.slot(EXCHANGES, outcome) for outcome in Outcome})


def test_ends_of_connections_have_a_series() -> None:
    """Every outcome that can end an open connection is counted; those of a connection never made are not."""
    never_made = {Outcome.DNS, Outcome.REFUSED, Outcome.UNREACHABLE, Outcome.CONNECT_TIMEOUT}
    assert set(Outcome) - never_made - {Outcome.OK} == set(LOST.values)


def test_phases_have_a_series() -> None:
    """Every phase up to the first byte has a histogram of its own; the reply's length is in the response time."""
    assert [str(phase) for phase in TIMED] == ["resolve", "connect", "tls", "first_byte"]
    slots = [SCHEMA.slot(PHASE_DURATION, phase) for phase in TIMED]
    assert slots == sorted(slots)
    assert all(after - before == PHASE_DURATION.width for before, after in pairwise(slots))


def test_last_success_is_in_seconds() -> None:
    """The time of the last success is kept in nanoseconds, exported in seconds; the latest of all workers counts."""
    assert LAST_SUCCESS.scale * NANOSECONDS == 1.0
    assert LAST_SUCCESS.across == "peak"
