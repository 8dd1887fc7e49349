"""The command line of the server."""

from stentor_chassis.control.terminable import restore_sigint  # first, before slow imports

# isort: split
from stentor_chassis.options.command_line import group, run
from stentor_server import NAME, __version__

cli = group(
    "Upper-case every byte received over TCP and stream it back.",
    __version__,
    {
        "serve": ("stentor_server.control", "Serve until SIGTERM."),
        "health": ("stentor_server.health", "Check that a running server answers and is ready."),
    },
)


restore_sigint()


def main() -> None:
    """Run the command line."""
    run(cli, NAME)


if __name__ == "__main__":
    main()
