"""The command line of the server."""

import contextlib
import os
import signal

import click
import pytest

from exposition import total
from processes import Server
from stentor_chassis.failure import COULD_NOT_START, USAGE
from stentor_client.__main__ import cli as client
from stentor_server.__main__ import cli
from unit.ending import RunCommand


def test_health(run_command: RunCommand) -> None:
    """The health command says by its code alone whether a server is well, however full; it asks each worker."""
    with Server("--workers", "2", "--max-connections", "5") as server, contextlib.ExitStack() as clients:
        for _ in range(5):
            clients.enter_context(server.connect())
        server.reaches("stentor_server_connections_active", 5)
        asked = ["health", "--admin-port", server.admin.rpartition(":")[2]]
        well = run_command(cli, *asked)
        assert (well.code, well.out, well.err) == (0, "", "")
        checked = server.reaches('stentor_server_health_checks_total{result="ok"}', 2)  # one of each worker
        assert total(checked, "stentor_server_connections_rejected_total") == 0
        (_, hung) = server.worker_pids()
        os.kill(hung, signal.SIGSTOP)
        stuck = run_command(cli, *asked, "--timeout", "200ms")
        os.kill(hung, signal.SIGCONT)
        assert (stuck.code, stuck.line.rpartition(": ")[::2]) == (
            COULD_NOT_START,
            ("a-service: no answer from worker 1", "timed out"),
        )


@pytest.mark.parametrize("program", [cli, client])
def test_health_of_port_0(run_command: RunCommand, program: click.Group) -> None:
    """Nobody can ask a service that took a free port, unless told which one."""
    ended = run_command(program, "health", "--admin-port", "0")
    assert ended.code == USAGE
    assert "'--admin-port'" in ended.line
    assert ended.line.endswith("0 makes the service pick a free port; give that port here")
