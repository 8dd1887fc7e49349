"""The faults of --fault."""

from collections import Counter

import click
import pytest

from stentor_server.faults.fault import Fault, Faults, Injection, InjectionType


@pytest.mark.parametrize(
    ("text", "injection"),
    [
        ("corrupt=0.25", Injection(Fault.CORRUPT, 0.25)),
        ("delay=0.1:250ms", Injection(Fault.DELAY, 0.1, 0.25)),
        ("delay=0.1", Injection(Fault.DELAY, 0.1, 0.2)),
        ("drip=1", Injection(Fault.DRIP, 1.0, 0.01)),
    ],
)
def test_parsed(text: str, injection: Injection) -> None:
    """A fault is a name, a probability, and for some a duration."""
    assert Injection.parse(text) == injection
    assert InjectionType()(text) == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("corrupt", "is not a fault such as"),
        ("lie=0.5", "one of the names delay, drip"),
        ("corrupt=0", "above 0 and at most 1"),
        ("corrupt=1.01", "above 0 and at most 1"),
        ("corrupt=\u0660.\u0665", "is not a fault such as"),
        ("corrupt=0.5:1s", "only delay and drip have a duration"),
        ("delay=0.5:fast", "'fast' is not a duration"),
    ],
)
def test_wrong(text: str, why: str) -> None:
    """Anything else is refused, with what is wrong; so are faults that do not add up."""
    with pytest.raises(ValueError, match="once"):
        Faults(["stall=0.1", "stall=0.2"])
    with pytest.raises(ValueError, match=r"probabilities add up to 1\.1"):
        Faults(["stall=0.7", "reset=0.2", "corrupt=0.2"])
    with pytest.raises(click.BadParameter) as raised:
        InjectionType()(text)
    assert why in raised.value.message
    assert repr(text) in raised.value.message


def test_probabilities() -> None:
    """Each fault is drawn with its probability, `refuse` for connections and not for answers."""
    faults = Faults(["corrupt=0.1", "delay=0.3:1ms", "refuse=0.5"], "a seed")
    drawn = [faults.of_answer() for _ in range(10_000)]
    found = Counter(each.fault for each in drawn if each)
    assert found.keys() == {Fault.CORRUPT, Fault.DELAY}
    assert found[Fault.CORRUPT] == pytest.approx(1000, rel=0.15)
    assert found[Fault.DELAY] == pytest.approx(3000, rel=0.15)
    assert sum(faults.refuses() for _ in range(1000)) == pytest.approx(500, rel=0.2)


def test_seed() -> None:
    """The same seed draws the same faults, another seed others, and so does each run without one."""

    def drawn(seed: str | None) -> list[Injection | None]:
        faults = Faults(["corrupt=0.5"], seed)
        return [faults.of_answer() for _ in range(200)]

    assert drawn("1 0") == drawn("1 0")
    assert drawn("1 0") != drawn("1 1")
    assert drawn(None) != drawn(None)
