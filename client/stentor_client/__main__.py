"""The command line of the client."""

from stentor_chassis.control.terminable import restore_sigint  # first, before slow imports

# isort: split
from stentor_chassis.options.command_line import group, run
from stentor_client import NAME, __version__

COMMANDS = ("send", "probe", "load", "check", "trace", "reconcile")

cli = group(
    "Send over TCP, read the replies, and verify every byte of them.",
    __version__,
    {name: f"stentor_client.{name}.command" for name in COMMANDS},
)


restore_sigint()


def main() -> None:
    """Run the command line."""
    run(cli, NAME)


if __name__ == "__main__":
    main()
