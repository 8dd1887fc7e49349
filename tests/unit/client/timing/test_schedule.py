"""When sends are due."""

from hypothesis import given
from hypothesis import strategies as st

from stentor_chassis.counters.histogram import NANOSECONDS
from stentor_client.timing.schedule import Schedule

intervals = st.one_of(st.floats(1e-5, 3600), st.integers(1, 100_000).map(lambda rate: 1 / rate))
# How long after each due moment the caller asks for the next, in intervals.
delays = st.lists(st.one_of(st.just(0.0), st.floats(0, 50)), min_size=1, max_size=50)


@given(intervals, st.integers(0, 1 << 60), delays)
def test_moments(interval: float, start: int, late: list[float]) -> None:
    """Moments are exact multiples of the interval from the start on; each is returned or skipped, once.

    A caller that was held up continues with the present: its next moment is less than an interval old.
    """
    schedule = Schedule(interval, start)
    nanoseconds = interval * NANOSECONDS
    now, before, number = start, start - 1, 0
    for delay in late:
        due, skipped = schedule.next(now)
        assert due > before
        assert skipped >= 0
        number += skipped
        assert abs(due - start - number * nanoseconds) <= 1 + number * nanoseconds * 1e-15
        assert now - due < nanoseconds * (1 + 1e-9) + 2
        before, number = due, number + 1
        now = max(now, due) + int(delay * nanoseconds)


def test_skipped_moments() -> None:
    """A caller that is three and a half intervals late gets the third moment, and two are skipped; none is early."""
    schedule = Schedule(1.0, NANOSECONDS)
    assert schedule.next(0) == (NANOSECONDS, 0)
    assert schedule.next(4 * NANOSECONDS + NANOSECONDS // 2) == (4 * NANOSECONDS, 2)
    assert schedule.next(4 * NANOSECONDS + NANOSECONDS // 2) == (5 * NANOSECONDS, 0)
