"""Pauses before the next attempt."""

from stentor_chassis.back_off import exponential_back_off


def test_doubles_up_to_a_limit() -> None:
    """The first pause is as given, each further one twice as long, none longer than the limit."""
    pauses = [exponential_back_off(failures, 0.1, 5.0) for failures in (1, 2, 3, 6, 7, 10_000)]
    assert pauses == [0.1, 0.2, 0.4, 3.2, 5.0, 5.0]
