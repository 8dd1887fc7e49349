"""When sends are due."""

from hypothesis import given
from hypothesis import strategies as st

from stentor_chassis.counters.histogram import NANOSECONDS
from stentor_client.timing.schedule import Schedule

intervals = st.one_of(st.floats(1e-5, 3600), st.integers(1, 100_000).map(lambda rate: 1 / rate))
starts = st.integers(0, 1 << 60)
# How long after the moment it was given the caller asks for the next, in intervals.
delays = st.lists(st.floats(0, 50), min_size=1, max_size=50)


@given(intervals, starts)
def test_first_is_due_at_the_start(interval: float, start: int) -> None:
    """The first moment is the start."""
    assert (start, 0) == Schedule(interval, start).next(start)


@given(intervals, starts, st.integers(1, 200))
def test_never_drifts(interval: float, start: int, count: int) -> None:
    """Who keeps up is given start, start + interval, start + 2 × interval, to the nanosecond and without a gap."""
    schedule = Schedule(interval, start)
    now = start
    for number in range(count):
        due, skipped = schedule.next(now)
        assert abs(due - start - number * interval * NANOSECONDS) <= 1 + number * interval * NANOSECONDS * 1e-15
        assert skipped == 0
        now = max(now, due)


@given(intervals, starts, delays)
def test_each_moment_once(interval: float, start: int, late: list[float]) -> None:
    """However late the caller is, moments only go forward, and each is either given or left out, once."""
    schedule = Schedule(interval, start)
    nanoseconds = interval * NANOSECONDS
    now, before, accounted = start, start - 1, 0
    for delay in late:
        due, skipped = schedule.next(now)
        assert due > before
        assert skipped >= 0
        accounted += skipped + 1
        assert abs(due - start - (accounted - 1) * nanoseconds) <= 1 + accounted * nanoseconds * 1e-15
        before = due
        now = max(now, due) + int(delay * nanoseconds)


@given(intervals, starts, delays)
def test_no_burst(interval: float, start: int, late: list[float]) -> None:
    """A caller that was held up goes on with the present: what it is given is less than an interval old."""
    schedule = Schedule(interval, start)
    nanoseconds = interval * NANOSECONDS
    now = start
    for delay in late:
        due, _ = schedule.next(now)
        assert now - due < nanoseconds * (1 + 1e-9) + 2
        now = max(now, due) + int(delay * nanoseconds)


def test_left_out_moments_are_counted() -> None:
    """A caller that comes three and a half intervals late is given the third moment, and told of the two left out."""
    schedule = Schedule(1.0, 0)
    assert schedule.next(0) == (0, 0)
    assert schedule.next(3 * NANOSECONDS + NANOSECONDS // 2) == (3 * NANOSECONDS, 2)
    assert schedule.next(3 * NANOSECONDS + NANOSECONDS // 2) == (4 * NANOSECONDS, 0)


def test_waiting_for_the_start() -> None:
    """Asked before the start, the start is due."""
    assert Schedule(1.0, 10 * NANOSECONDS).next(0) == (10 * NANOSECONDS, 0)
