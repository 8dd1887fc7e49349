"""The command line of the client."""

from stentor_chassis.terminable import heed_interrupt  # first, before what takes time to import

# isort: split
from stentor_chassis.options import group, run
from stentor_client import NAME, __version__
from stentor_client.commands.check import check
from stentor_client.commands.load import load
from stentor_client.commands.probe import probe
from stentor_client.commands.reconcile import reconcile
from stentor_client.commands.send import send
from stentor_client.commands.trace import trace

cli = group("Send over TCP, read the replies, and verify every byte of them.", __version__)
for command in (send, probe, load, check, trace, reconcile):
    cli.add_command(command)


heed_interrupt()


def main() -> None:
    """Run the command line."""
    run(cli, NAME)


if __name__ == "__main__":
    main()
