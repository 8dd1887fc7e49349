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
