"""The command line of the client."""

from stentor_chassis.control.terminable import restore_sigint  # first, before slow imports

# isort: split
from stentor_chassis.options.command_line import group, run
from stentor_client import NAME, __version__

COMMANDS = {
    "send": "Send text or standard input, and verify the reply.",
    "probe": "Exchange verified messages continuously.",
    "load": "Measure the server under load.",
    "check": "Find what is wrong with a path.",
    "trace": "Show one exchange, part by part.",
    "reconcile": "Compare the counts of both sides.",
    "health": "Check that a running probe is well.",
}

cli = group(
    "Send over TCP, read the replies, and verify every byte of them.",
    __version__,
    {name: (f"stentor_client.{name}.command", summary) for name, summary in COMMANDS.items()},
)


restore_sigint()


def main() -> None:
    """Run the command line."""
    run(cli, NAME)


if __name__ == "__main__":
    main()
