"""From the command line to listening sockets and workers."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from certificates import Authority
from stentor_chassis.control.control import ControlOptions, Service
from stentor_chassis.control.listeners import Listeners, UnixListener
from stentor_chassis.counters.metrics import Schema
from stentor_chassis.counters.shared_counters import CONTROL, FIRST_WORKER, SharedCounters
from stentor_chassis.failure import COULD_NOT_START, USAGE
from stentor_server import control as service_module
from stentor_server.__main__ import cli
from stentor_server.guard.addresses import AddressCounts
from stentor_server.metrics import LIMIT, RELOADS, SCHEMA, settle
from stentor_server.options import ServerOptions
from unit.ending import Ended, RunCommand

ROOM = 1000
LISTS = ("allow", "proxy_from", "fault")  # tuples, but lists on their way to the workers


@dataclass
class Started:
    """What a control process would run with."""

    service: Service
    control: ControlOptions
    addresses: list[str]
    workers_listeners: list[list[int]]
    options: ServerOptions
    inherited: list[int]
    counters: SharedCounters


Serve = Callable[..., Started]


@pytest.fixture
def serve(
    run_command: RunCommand, monkeypatch: pytest.MonkeyPatch, new_counters: Callable[[Schema, int], SharedCounters]
) -> Serve:
    """Runs `serve` with the arguments up to where the control process would run."""
    started: list[Started] = []

    def control(
        service: Service, options: ControlOptions, listeners: Listeners, config: dict[str, Any], inherited: list[int]
    ) -> SimpleNamespace:
        """Return a control process that runs nothing."""
        owned = [listeners.of_worker(number) for number in range(options.workers)]
        counters = new_counters(service.schema, FIRST_WORKER)
        addresses = listeners.addresses
        assert json.loads(json.dumps(config)) == {**config, **{each: [*config[each]] for each in LISTS}}
        received = ServerOptions(**config)
        started.append(Started(service, options, addresses, owned, received, inherited, counters))
        return SimpleNamespace(counters=counters, run=lambda: 0)

    monkeypatch.setattr(service_module, "Control", control)
    monkeypatch.setattr(service_module, "raise_descriptor_limit", lambda: None)
    monkeypatch.setattr(service_module, "room", lambda: ROOM)

    def run(*arguments: str) -> Started:
        ended = run_command(cli, "serve", "--port", "0", "--workers", "2", *arguments)
        assert (ended.code, ended.err) == (0, "")
        return started.pop()

    return run


@pytest.fixture
def fail(serve: Serve, run_command: RunCommand) -> Callable[..., Ended]:
    """Runs `serve` with arguments that do not do."""
    return lambda *arguments: run_command(cli, "serve", "--port", "0", "--workers", "2", *arguments)


@pytest.mark.parametrize("limits", [["--max-connections", "5"], []])
def test_table_of_addresses(serve: Serve, monkeypatch: pytest.MonkeyPatch, limits: list[str]) -> None:
    """With a limit per address, workers share a table: a row for each and its successor, of sufficient size."""
    made: list[tuple[int, int]] = []
    create = AddressCounts.create

    def note(rows: int, connections: int) -> int:
        made.append((rows, connections))
        return create(rows, connections)

    monkeypatch.setattr(AddressCounts, "create", note)
    (fd,) = serve("--max-connections-per-address", "3", *limits).inherited
    assert made == [(2 + 2 * 2, 5 if limits else ROOM)]
    assert not os.get_inheritable(fd)
    os.close(fd)


@pytest.mark.parametrize(
    ("arguments", "flag", "message"),
    [
        (["--tls-key", "key.pem"], "--tls-key", "requires --tls-cert"),
        (["--tls-client-ca", "ca.pem"], "--tls-client-ca", "requires --tls-cert"),
        (["--proxy-from", "::1"], "--proxy-from", "requires --proxy-protocol"),
        (["--proxy-protocol", "v2"], "--proxy-protocol", "requires --proxy-from"),
        (["--fault", "stall=1"], "--fault", "requires --allow-faults"),
        (["--allow-faults", "--fault", "stall=1", "--fault", "reset=1"], "--fault", "add up to 2"),
        (["--allow-faults", "--fault", "stall=1", "--tls-cert", "cert.pem"], "--fault", "remove --tls-cert"),
        (["--max-connections", "2001"], "--max-connections", "the maximum is 2000"),
    ],
)
def test_dependent_options(fail: Callable[..., Ended], arguments: list[str], flag: str, message: str) -> None:
    """Options that do not fit together, or the machine, are one line that names the option and its variable."""
    ended = fail(*arguments)
    assert ended.code == USAGE
    variable = "STENTOR_" + flag.removeprefix("--").replace("-", "_").upper()
    for named in (f"'{flag}'", variable, message):
        assert named in ended.line


def test_descriptor_limit(serve: Serve, fail: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit of descriptors is raised before the maximum is calculated, which may be too low for any connection."""
    room = [-80]
    monkeypatch.setattr(service_module, "room", lambda: room[-1])
    ended = fail()
    assert ended.code == USAGE
    assert "the maximum is 0: the file-descriptor limit (ulimit -n) minus 100, per worker" in ended.line
    monkeypatch.setattr(service_module, "raise_descriptor_limit", lambda: room.append(50))
    assert serve().options.max_connections == 100
    assert serve("--max-connections", "100").options.max_connections == 100


def test_tls_files_are_read_first(fail: Callable[..., Ended], authority: Authority, tmp_path: Path) -> None:
    """A TLS file that cannot be used ends the start with one line, before anything is bound."""
    gone = str(tmp_path / "gone.pem")
    ended = fail("--tls-cert", authority.issue("server"), "--tls-key", gone, "--host", "no.such.host.invalid")
    assert (ended.code, ended.line) == (COULD_NOT_START, f"a-service: cannot read {gone}: No such file or directory")


def test_service(serve: Serve, tmp_path: Path) -> None:
    """Without options it serves plainly on loopback with the limits of the help; the control process knows how."""
    started = serve()
    assert started.options == ServerOptions(
        backlog=4096,
        max_connections=2 * ROOM,
        idle_timeout_seconds=600.0,
        write_timeout_seconds=60.0,
        half_close_timeout_seconds=60.0,
        drain_timeout_seconds=8.0,
    )
    assert started.inherited == []
    assert [address.rpartition(":")[0] for address in started.addresses] == ["127.0.0.1"]
    service, control = started.service, started.control
    assert (service.schema, service.finalize, service.reloads) == (SCHEMA, settle, RELOADS)
    assert (control.workers, control.drain_seconds, control.log.fd) == (2, 8.0, 1)


def test_options(serve: Serve, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Options arrive at the workers, in base units; the limit is exported; sockets are shared out."""
    path, certificate = str(tmp_path / "exchange"), authority.issue("server")
    listen = Mock(side_effect=UnixListener)
    monkeypatch.setattr(service_module, "UnixListener", listen)
    words = f"--host 127.0.0.1,127.0.0.2 --unix {path} --unix-mode 0640 --max-connections 7"
    words += " --half-close-timeout 0 --max-age 1h"
    words += f" --allow 10.0.0.0/8 --allow 192.0.2.1 --proxy-protocol any --proxy-from ::1 --tls-cert {certificate}"
    started = serve(*words.split())
    assert started.options == ServerOptions(
        backlog=4096,
        max_connections=7,
        allow=("10.0.0.0/8", "192.0.2.1/32"),
        idle_timeout_seconds=600.0,
        write_timeout_seconds=60.0,
        max_age_seconds=3600.0,
        drain_timeout_seconds=8.0,
        proxy_protocol="any",
        proxy_from=("::1/128",),
        tls_cert=certificate,
        tls_key=certificate,  # its default is the certificate's file
    )
    listen.assert_called_once_with(path, 4096, 0o640)
    row = started.counters.row(CONTROL).tolist()  # outlives the workers
    assert {slot: value for slot, value in enumerate(row) if value} == {SCHEMA.slot(LIMIT): 7}
    assert [each.rpartition(":")[0] for each in started.addresses] == ["127.0.0.1", "127.0.0.2", "unix"]
    first, second = started.workers_listeners
    assert (len(first), first[2], len({*first, *second})) == (4, second[2], 7)
    assert not os.path.exists(path)
