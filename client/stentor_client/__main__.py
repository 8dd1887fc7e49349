"""The command line of the client."""

from stentor_chassis.control.terminable import heed_interrupt  # first, before what takes time to import

# isort: split
from stentor_chassis.options.option import group, run
from stentor_client import NAME, __version__
from stentor_client.check.command import check
from stentor_client.load.command import load
from stentor_client.probe.command import probe
from stentor_client.reconcile.command import reconcile
from stentor_client.send.command import send
from stentor_client.trace.command import trace

cli = group("Send over TCP, read the replies, and verify every byte of them.", __version__)
for command in (send, probe, load, check, trace, reconcile):
    cli.add_command(command)


heed_interrupt()


def main() -> None:
    """Run the command line."""
    run(cli, NAME)


if __name__ == "__main__":
    main()
