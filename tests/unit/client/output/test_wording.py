"""Numbers, sizes and times in words."""

import pytest

from stentor_client.output import wording


@pytest.mark.parametrize(
    ("nbytes", "words"), [(0, "0 B"), (1460, "1460 B"), (1024, "1 KiB"), (1025, "1025 B"), (1 << 24, "16 MiB")]
)
def test_size(nbytes: int, words: str) -> None:
    """A size has the largest unit that keeps it exact."""
    assert words == wording.size(nbytes)


@pytest.mark.parametrize(("seconds", "words"), [(0.25, "0.25 s"), (90.0, "90 s"), (60, "1 min"), (7200, "2 h")])
def test_duration(seconds: float, words: str) -> None:
    """A duration has the largest unit that keeps it exact."""
    assert words == wording.duration(seconds)


@pytest.mark.parametrize(("seconds", "words"), [(0.00012, "0.1 ms"), (0.25, "250.0 ms"), (1.26, "1.3 s")])
def test_elapsed(seconds: float, words: str) -> None:
    """How long something took is rounded."""
    assert words == wording.elapsed(seconds)


@pytest.mark.parametrize(
    ("words", "text"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_listed(words: list[str], text: str) -> None:
    """Several things are listed as in a sentence."""
    assert text == wording.listed(words)


def test_numbers() -> None:
    """Numbers have separators for thousands, and nouns their plural."""
    assert [wording.number(1234), wording.number(10.5, sign="+")] == ["1,234", "+10.500"]
    assert [wording.counted(1, "byte"), wording.counted(1200, "byte")] == ["1 byte", "1,200 bytes"]
    assert wording.milliseconds(1_234_567_890) == "1,234.568 ms"


@pytest.mark.parametrize(
    ("value", "words"), [(-0.0001, "under 0.001 %"), (-1.5, "-1.5 %"), (130, "+130 %"), (9000, "+9,000 %")]
)
def test_percent(value: float, words: str) -> None:
    """A percentage has a sign, and as many decimals as matter."""
    assert words == wording.percent(value)
