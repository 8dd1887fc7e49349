"""`reconcile`, from the command line on."""

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from stentor_chassis.failure import USAGE
from stentor_client.__main__ import cli
from unit.client.reconcile.endpoints import Client, Server, admin, answering, pair, prometheus
from unit.ending import Ended, RunCommand


@dataclass
class Pair:
    """Two sides, where they are, and the command on them."""

    client: Client
    server: Server
    client_url: str
    server_url: str
    run_command: RunCommand

    def run(self, *arguments: str) -> Ended:
        """Run the command against both, with these arguments."""
        urls = ("--server-admin", self.server_url, "--client-admin", f"{self.client_url}/metrics")
        return self.run_command(cli, "reconcile", *urls, "--timeout", "500ms", *arguments)


@pytest.fixture
def sides(run_command: RunCommand) -> Iterator[Pair]:
    """A pair that agrees."""
    client, server = pair()
    with answering(admin(client)) as client_url, answering(admin(server)) as server_url:
        yield Pair(client, server, client_url, server_url, run_command)


def test_agree(sides: Pair) -> None:
    """The table and the sentence go to standard output, nothing to standard error, and the exit code is 0."""
    ended = sides.run()
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    assert lines[-1] == "The counts agree, to the byte."
    assert lines == [line.rstrip() for line in lines]


def test_disagree(sides: Pair) -> None:
    """Counts that disagree end with 6."""
    sides.server.received += 1
    ended = sides.run()
    assert (ended.code, ended.err) == (6, "")
    assert "of bytes to the server, the server counted 1 byte more than the client" in ended.out.splitlines()[-1]


def test_several_clients(sides: Pair) -> None:
    """Clients may be repeated, or stand in the variable with commas between them, and add up."""
    with answering(admin(Client(opened=2, sent=7, received=7))) as other:
        sides.server.accepted, sides.server.received, sides.server.sent = 5, 1007, 1007
        assert sides.run("--client-admin", other).code == 0
        assert sides.run().code == 6


def test_client_given_twice(sides: Pair) -> None:
    """The same client twice would count twice."""
    ended = sides.run("--client-admin", f"{sides.client_url}/")
    assert ended.code == USAGE
    assert "'--client-admin' (env var: 'STENTOR_CLIENT_ADMIN'): one client is given twice" in ended.line


def test_defaults(run_command: RunCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without options it asks the ports that the services listen on by default, with the variables what they name."""
    help_text = " ".join(run_command(cli, "reconcile", "--help").out.split())
    assert "http://127.0.0.1:8081" in help_text
    assert "http://127.0.0.1:8082" in help_text
    with ExitStack() as stack:
        client, server = pair()
        urls = [stack.enter_context(answering(admin(side))) for side in (client, Client(), server)]
        monkeypatch.setenv("STENTOR_CLIENT_ADMIN", ",".join(urls[:2]))
        monkeypatch.setenv("STENTOR_SERVER_ADMIN", urls[2])
        assert run_command(cli, "reconcile").code == 0


def test_unreadable(sides: Pair) -> None:
    """An endpoint that cannot be read is one line, and exit code 3."""
    with answering(lambda _: (503, b"")) as broken:
        ended = sides.run("--client-admin", broken)
    assert (ended.code, ended.line) == (
        3,
        f"a-service: cannot read {broken}/metrics: it answers 503 Service Unavailable",
    )


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--server-admin", "nowhere"),
        ("--client-admin", "ftp://nowhere"),
        ("--prometheus", ""),
        ("--timeout", "0"),
        ("--during", "soon"),
        ("--server-query", "sum(x)"),
        ("--client-query", "bytes=sum(x)"),
        ("--json", "/nowhere/at/all"),
    ],
)
def test_wrong_values(sides: Pair, flag: str, value: str) -> None:
    """A wrong value is one line that names option and variable, before anything is read."""
    ended = sides.run(flag, value)
    assert ended.code == USAGE
    assert flag in ended.line
    assert "STENTOR_" + flag.removeprefix("--").replace("-", "_").upper() in ended.line
    assert sides.client.scrapes + sides.server.scrapes == 0


def test_during(sides: Pair) -> None:
    """What was counted before the time does not count."""
    sides.server.received += 500
    sides.server.unsent += 500
    assert sides.run("--during", "50ms").code == 0
    assert sides.run().code == 6


def test_json_file(sides: Pair, tmp_path: Path) -> None:
    """The result goes to a file as JSON, besides the table."""
    path = tmp_path / "result.json"
    ended = sides.run("--json", str(path))
    assert ended.out.startswith("quantity ")
    assert json.loads(path.read_text())["agree"] is True


def test_json_on_standard_output(sides: Pair) -> None:
    """With a hyphen it goes to standard output, where nothing else does."""
    sides.server.accepted += 1
    ended = sides.run("--json", "-")
    assert (ended.code, ended.err) == (6, "")
    data = json.loads(ended.out)
    assert (data["agree"], data["quantities"][0]["difference"]) == (False, 1)


@pytest.mark.parametrize(("told", "code"), [(1000, 0), (999, 6), ([1, 2], 2), ([], 3)])
def test_queries(sides: Pair, told: object, code: int) -> None:
    """What Prometheus returns is held against the exact count; what is wrong with a query is one line."""
    with answering(prometheus(lambda _: told)) as url:
        ended = sides.run("--prometheus", f"{url}/", "--server-query", "received_bytes=sum(x)")
    assert ended.code == code
    if code in {0, 6}:
        assert "--server-query received_bytes=sum(x)" in ended.out
    else:
        assert "--server-query received_bytes=sum(x)" in ended.line


def test_disk_that_is_full(sides: Pair) -> None:
    """A result that cannot be written is one line."""
    if not os.path.exists("/dev/full"):
        pytest.fail("the system has no /dev/full")
    ended = sides.run("--json", "/dev/full")
    assert ended.code == 1
    assert "No space left on device" in ended.err
