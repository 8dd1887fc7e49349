"""How long to wait before connecting again."""

import random

import pytest

from stentor_client.timing.back_off import FIRST_SECONDS, back_off_seconds


@pytest.mark.parametrize(
    ("failures", "longest"), [(0, 0.0), (1, FIRST_SECONDS), (2, 2 * FIRST_SECONDS), (4, 8 * FIRST_SECONDS), (7, 5.0)]
)
def test_grows(monkeypatch: pytest.MonkeyPatch, failures: int, longest: float) -> None:
    """The longest time doubles with each failure, up to the most."""
    monkeypatch.setattr(random, "uniform", lambda least, most: (least, most)[1])
    assert back_off_seconds(failures, 5.0) == longest


def test_most() -> None:
    """However many failures, it is within the most, and not the same for all."""
    found = {back_off_seconds(100_000, 0.5) for _ in range(100)}
    assert len(found) > 1
    assert 0 <= min(found) < max(found) <= 0.5
