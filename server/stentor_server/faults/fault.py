"""Faults that are asked for: which there are, how often, and whose turn it is."""

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
    """What the server can do wrong on purpose."""

    DELAY = "delay"
    DRIP = "drip"
    TRUNCATE = "truncate"
    CORRUPT = "corrupt"
    EXTRA = "extra"
    RESET = "reset"
    EARLY_FIN = "early_fin"
    STALL = "stall"
    REFUSE = "refuse"


_SECONDS = {Fault.DELAY: 0.2, Fault.DRIP: 0.01}  # of those that take time, unless they are told how much
_NAMES = frozenset(Fault)
# float() takes more: `0_1` would be 1, which is always.
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?", re.IGNORECASE)
_WANTED = "is not a fault such as corrupt=0.01 or delay=0.1:200ms, with one of the names " + ", ".join(Fault)


@dataclass(frozen=True, slots=True)
class Injection:
    """One fault, and how often it happens."""

    fault: Fault
    probability: float
    seconds: float = 0.0  # how long an answer is held back, or each byte of it

    @classmethod
    def parse(cls, text: str) -> "Injection":
        """Read `NAME=PROBABILITY`, or `NAME=PROBABILITY:DURATION` where the fault takes time.

        Raises:
            ValueError: what is wrong with it.
            click.BadParameter: that it is the duration.

        """
        name, _, value = text.partition("=")
        probability, colon, duration = value.partition(":")
        if name not in _NAMES or not _NUMBER.fullmatch(probability):
            raise ValueError(f"{text!r} {_WANTED}")
        fault, share = Fault(name), float(probability)
        if not 0 < share <= 1:
            raise ValueError(f"{text!r}: a probability is above 0 and at most 1")
        if colon and fault not in _SECONDS:
            raise ValueError(f"{text!r}: only {' and '.join(_SECONDS)} take time")
        return cls(fault, share, Duration().convert(duration, None, None) if colon else _SECONDS.get(fault, 0.0))


class InjectionType(Listed):
    """The value of `--fault`; it stays text, for so it travels to the workers, and `/status` shows it."""

    name = "name=probability"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check it, or fail with what is wanted."""
        try:
            Injection.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        except click.BadParameter as error:
            self.fail(f"{value!r}: {error.message}", param, ctx)
        return str(value)


class Faults:
    """Draws, for each answer and each connection, what is to go wrong with it."""

    def __init__(self, injections: Iterable[str], seed: str | None = None) -> None:
        """Take them as `--fault` gives them; with a seed every run draws the same.

        Raises:
            ValueError: where one fault is asked for twice, or all together happen more often than always.

        """
        parsed = [Injection.parse(text) for text in injections]
        if len({each.fault for each in parsed}) < len(parsed):
            raise ValueError("each fault can be asked for once")
        self._refuse = sum(each.probability for each in parsed if each.fault is Fault.REFUSE)
        self._of_answers = [each for each in parsed if each.fault is not Fault.REFUSE]
        whole = sum(each.probability for each in self._of_answers)
        if round(whole, 9) > 1:
            raise ValueError(f"an answer has one fault, so their probabilities add up to 1 at most, and not {whole:g}")
        self.random = random.Random(seed)  # noqa: S311 - it decides about mishaps, not about secrets

    def of_answer(self) -> Injection | None:
        """Return what goes wrong with the next answer, if anything does."""
        drawn = self.random.random()
        for injection in self._of_answers:
            drawn -= injection.probability
            if drawn < 0:
                return injection
        return None

    def refuses(self) -> bool:
        """Return whether the next connection is refused."""
        return self._refuse > 0 and self.random.random() < self._refuse
