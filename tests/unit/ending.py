"""How a command line ends."""

from collections.abc import Callable
from dataclasses import dataclass

import click

from stentor_chassis.options.command_line import Commands


@dataclass(frozen=True)
class Ended:
    """How a command line ended."""

    code: object
    out: str
    err: str

    @property
    def line(self) -> str:
        """The one line on standard error, when there is nothing else."""
        assert self.err.count("\n") == 1, self.err
        assert not self.out
        return self.err.rstrip("\n")


RunCommand = Callable[..., Ended]


def commands(group: Commands) -> "list[tuple[click.Command, click.Option]]":
    """Return every option of every command of a service."""
    return [
        (command, option)
        for command in group.all_commands()
        for option in command.params
        if isinstance(option, click.Option)
    ]


def identify(value: object) -> str:
    """Name a test case after its command or option."""
    name = value.name if isinstance(value, click.Command | click.Option) else str(value)
    return str(name)
