"""The faults of --fault, their probabilities, and their random selection."""

import random
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import click

from stentor_chassis.options.quantities import Duration
from stentor_chassis.options.text import Listed


class Fault(StrEnum):
    """A deliberate fault of the server."""

    DELAY = "delay"
    DRIP = "drip"
    TRUNCATE = "truncate"
    CORRUPT = "corrupt"
    EXTRA = "extra"
    RESET = "reset"
    EARLY_FIN = "early_fin"
    STALL = "stall"
    REFUSE = "refuse"


_SECONDS = {Fault.DELAY: 0.2, Fault.DRIP: 0.01}  # default durations of the faults that have one
_NAMES = frozenset(Fault)
# Stricter than float(), which reads `0_1` as 1.
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?", re.IGNORECASE)
_WANTED = "is not a fault such as corrupt=0.01 or delay=0.1:200ms, with one of the names " + ", ".join(Fault)


@dataclass(frozen=True, slots=True)
class Injection:
    """One fault, and how often it happens."""

    fault: Fault
    probability: float
    seconds: float = 0.0  # how long an answer, or each of its bytes, is delayed

    @classmethod
    def parse(cls, text: str) -> "Injection":
        """Read `NAME=PROBABILITY`, or `NAME=PROBABILITY:DURATION` for a fault that has a duration.

        Raises:
            ValueError: the name or the probability is wrong.
            click.BadParameter: the duration is wrong.

        """
        name, _, value = text.partition("=")
        probability, colon, duration = value.partition(":")
        if name not in _NAMES or not _NUMBER.fullmatch(probability):
            raise ValueError(f"{text!r} {_WANTED}")
        fault, share = Fault(name), float(probability)
        if not 0 < share <= 1:
            raise ValueError(f"{text!r}: a probability is above 0 and at most 1")
        if colon and fault not in _SECONDS:
            raise ValueError(f"{text!r}: only {' and '.join(_SECONDS)} have a duration")
        return cls(fault, share, Duration().convert(duration, None, None) if colon else _SECONDS.get(fault, 0.0))


class InjectionType(Listed):
    """The value of `--fault`: checked, but kept as text, as workers receive it and `/status` shows it."""

    name = "name=probability"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check the value."""
        try:
            Injection.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        except click.BadParameter as error:
            self.fail(f"{value!r}: {error.message}", param, ctx)
        return str(value)


class Faults:
    """Draws the fault, if any, of each answer and each connection."""

    def __init__(self, injections: Iterable[str], seed: str | None = None) -> None:
        """Parse the values of `--fault`; with a seed every run draws the same faults.

        Raises:
            ValueError: a fault is given twice, or the probabilities add up to more than 1.

        """
        parsed = [Injection.parse(text) for text in injections]
        if len({each.fault for each in parsed}) < len(parsed):
            raise ValueError("give each fault at most once")
        self._refuse = sum(each.probability for each in parsed if each.fault is Fault.REFUSE)
        self._of_answers = [each for each in parsed if each.fault is not Fault.REFUSE]
        whole = sum(each.probability for each in self._of_answers)
        if round(whole, 9) > 1:
            raise ValueError(f"an answer has at most one fault, but the probabilities add up to {whole:g}")
        self.random = random.Random(seed)  # noqa: S311 - not used for secrets

    def of_answer(self) -> Injection | None:
        """Draw the fault of the next answer, if any."""
        drawn = self.random.random()
        for injection in self._of_answers:
            drawn -= injection.probability
            if drawn < 0:
                return injection
        return None

    def refuses(self) -> bool:
        """Draw whether the next connection is refused."""
        return self._refuse > 0 and self.random.random() < self._refuse
