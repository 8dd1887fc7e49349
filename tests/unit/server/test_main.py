"""The command line of the server."""

import pytest

from processes import Server
from stentor_chassis.failure import COULD_NOT_START, USAGE
from stentor_server.__main__ import cli
from unit.ending import RunCommand


def test_health(run_command: RunCommand) -> None:
    """The health command says by its code alone whether a server is well."""
    with Server("--workers", "1") as server:
        ports = ["--port", str(server.address[1]), "--admin-port", server.admin.rpartition(":")[2]]
        well = run_command(cli, "health", *ports)
        assert (well.code, well.out, well.err) == (0, "", "")
        wrong = run_command(cli, "health", *ports, "--transform", "echo")
        assert wrong.code == COULD_NOT_START
        assert "answered" in wrong.line


@pytest.mark.parametrize("flag", ["--port", "--admin-port"])
def test_health_of_port_0(run_command: RunCommand, flag: str) -> None:
    """Nobody can ask a server that took a free port, unless told which one."""
    ended = run_command(cli, "health", flag, "0")
    assert ended.code == USAGE
    assert flag in ended.line
    assert ended.line.endswith("0 makes the server pick a free port; give that port here")
