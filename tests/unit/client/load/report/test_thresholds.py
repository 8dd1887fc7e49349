"""What a load must not exceed."""

import pytest

from stentor_client.verify.outcomes import Outcome
from unit.client.loads import all_failed, counted, judged, nothing_at_all, steady, summed_up


def test_met_and_not_met() -> None:
    """Each threshold that is given is compared with its own figure; the limit itself is allowed."""
    load = summed_up(counted([1 + number for number in range(100)], {Outcome.EOF: 50}, waited=1.0))
    results = judged(load, max_error_rate=0.25, max_p50=0.050, max_p99=0.110)
    assert [(each.name, each.limit, each.met) for each in results] == [
        ("max-error-rate", 0.25, False),
        ("max-p50", 0.050, False),  # response time includes the millisecond of waiting
        ("max-p99", 0.110, True),
    ]
    assert [each.actual for each in results] == pytest.approx([1 / 3, 0.051, 0.100], rel=0.01)
    assert judged(steady()) == []
    assert judged(steady(), max_error_rate=0.0)[0].met
    for nothing in (nothing_at_all(), all_failed()):
        results = judged(nothing, max_error_rate=0.5, max_p50=1.0, max_p99=1.0)
        assert [(each.actual, each.met) for each in results] == [(1.0, False), (None, False), (None, False)]
