"""The end of the terminal that a command was started on."""

import signal

import pytest

from bench.process import children
from processes import Server, is_alive
from terminal import Terminal
from waiting import SECONDS, until

ACCEPTED = "stentor_server_connections_accepted_total"
SERVE = ("stentor-server", "serve", "--port", "0", "--admin-port", "0")
PROBE = ("stentor-client", "probe", "--admin-port", "0", "--interval", "10ms")
LOAD = ("stentor-client", "load", "--duration", "1h")
CHECK = ("stentor-client", "check", "--idle", "1h")
SEND = ("stentor-client", "send")
RECEIVED = "stentor_server_received_bytes_total"


@pytest.mark.parametrize("command", [PROBE, LOAD, CHECK, SEND, SERVE], ids=lambda command: command[1])
def test_ends_with_its_terminal(server: Server, command: tuple[str, ...]) -> None:
    """Whatever runs on a terminal ends with it, and its workers too."""
    target = () if command == SERVE else ("--target", server.target)
    with Terminal(*command, *target) as terminal:
        if command == SERVE:
            terminal.until("server.ready")
        else:
            server.reaches(ACCEPTED if command == SEND else RECEIVED)
        pids = [terminal.process.pid, *children(terminal.process.pid)]
        terminal.hang_up()
        terminal.process.wait(SECONDS)
        until(lambda: not any(map(is_alive, pids)), "the end of all its processes")


def test_nohup(server: Server) -> None:
    """Started under nohup, a probe goes on, and SIGTERM ends it."""
    with Terminal(*PROBE, "--target", server.target, before=["env", "--ignore-signal=HUP"]) as terminal:
        before = server.reaches(RECEIVED)[RECEIVED]
        terminal.hang_up()
        server.reaches(RECEIVED, before + 1_000_000)
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.process.wait(SECONDS) == 0
