"""`reconcile`, from the command line."""

import json
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

    def run(self, *arguments: str, timeout: str = "500ms") -> Ended:
        """Run the command against both, with these arguments."""
        urls = ("--server-admin", self.server_url, "--client-admin", f"{self.client_url}/metrics")
        return self.run_command(cli, "reconcile", *urls, "--timeout", timeout, *arguments)


@pytest.fixture
def sides(run_command: RunCommand) -> Iterator[Pair]:
    """A pair that agrees."""
    client, server = pair()
    with answering(admin(client)) as client_url, answering(admin(server)) as server_url:
        yield Pair(client, server, client_url, server_url, run_command)


def test_agree(sides: Pair, tmp_path: Path) -> None:
    """The table goes to standard output without trailing blanks, the same as JSON to a file; the exit code is 0."""
    path = tmp_path / "result.json"
    ended = sides.run("--json", str(path))
    assert json.loads(path.read_text())["agree"] is True
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    assert lines[-1] == "The counts agree, to the byte."
    assert lines == [line.rstrip() for line in lines]


@pytest.mark.parametrize("side", ["client", "server"])
def test_given_twice(sides: Pair, side: str) -> None:
    """The same service twice would count twice, also under another name."""
    url = sides.client_url if side == "client" else sides.server_url
    ended = sides.run(f"--{side}-admin", f"{url}/")
    assert ended.code == USAGE
    assert f"'--{side}-admin' (env var: 'STENTOR_{side.upper()}_ADMIN'): the same {side} is given twice" in ended.line
    other = url.replace("127.0.0.1", "localhost")
    ended = sides.run(f"--{side}-admin", other)
    assert ended.code == USAGE
    assert f"{url} and {other} are the same service" in ended.line


def test_variables(run_command: RunCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables name the endpoints; the counts of several clients add up, and so do those of servers."""
    with ExitStack() as stack:
        client, server = pair()
        server.accepted, server.received, server.sent = 4, 1004, 1004
        others = Client(opened=2, sent=7, received=7, started=1001.0), Server(1, received=3, sent=3, started=1001.0)
        urls = [stack.enter_context(answering(admin(side))) for side in (client, others[0], server, others[1])]
        monkeypatch.setenv("STENTOR_CLIENT_ADMIN", ",".join(urls[:2]))
        monkeypatch.setenv("STENTOR_SERVER_ADMIN", ",".join(urls[2:]))
        assert run_command(cli, "reconcile").code == 0


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--server-admin", "nowhere"),
        ("--max-difference", "101%"),
        ("--prometheus", ""),
        ("--client-query", "bytes=sum(x)"),
    ],
)
def test_wrong_values(sides: Pair, flag: str, value: str) -> None:
    """A wrong value is one line that names option and variable, before anything is read."""
    ended = sides.run(flag, value)
    assert ended.code == USAGE
    assert flag in ended.line
    assert "STENTOR_" + flag.removeprefix("--").replace("-", "_").upper() in ended.line
    assert sides.client.scrapes + sides.server.scrapes == 0


def test_disagree(sides: Pair) -> None:
    """Counts that differ end with 6, unless they did before the time compared; `--json -` prints nothing else."""
    sides.server.accepted += 1
    assert sides.run("--during", "50ms").code == 0
    ended = sides.run("--json", "-")
    assert (ended.code, ended.err) == (6, "")
    data = json.loads(ended.out)
    assert (data["agree"], data["quantities"][0]["difference"]) == (False, 1)
    assert [sides.run("--max-difference", share).code for share in ("34%", "33%")] == [0, 6]


def test_cannot_tell(sides: Pair) -> None:
    """If bytes that the client sent are still under way, nobody can tell whether they arrive: the exit code is 7."""
    sides.client.received = 0
    ended = sides.run()
    assert ended.code == 7
    assert "client: sent = received: bytes were moving or under way" in ended.out


@pytest.mark.parametrize(("told", "code"), [(1000, 0), (999, 6), ([1, 2], 2), ([], 3)])
def test_queries(sides: Pair, told: object, code: int) -> None:
    """What Prometheus returns is compared with the exact count; an error in a query is one line."""
    with answering(prometheus(lambda _: told)) as url:
        ended = sides.run("--prometheus", f"{url}/", "--server-query", "received_bytes=sum(x)", timeout="3s")
    assert ended.code == code
    assert "--server-query received_bytes=sum(x)" in (ended.line if code in {2, 3} else ended.out)
