"""Control processes."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from exposition import OPENER
from stentor_chassis.failure import COULD_NOT_START, INTERRUPTED
from unit.chassis.team import ENVIRONMENT, EPILOGUE, PROLOGUE, STAYS
from waiting import until

SECONDS = 20.0
MAIN = """
import json, sys
from stentor_chassis.control import supervisor
from stentor_chassis.page.history import History
from stentor_chassis.control.control import Control, ControlOptions, Service
from stentor_chassis.failure import Failure
from stentor_chassis.control.listeners import Listeners, bind_tcp
from stentor_chassis.logs.log import LogOptions
from unit.chassis.example import RELOADED, SCHEMA
told = json.loads(sys.argv[1])
supervisor.BACKOFF_SECONDS, supervisor.START_ATTEMPTS = 0.01, 1
if told["fails"]:
    async def fail(_):
        raise ZeroDivisionError("a bug")
    setattr(History if told["fails"] == "run" else supervisor.Supervisor, told["fails"], fail)
service = Service(
    name="an-example", version="1.2.3", schema=SCHEMA, worker_module="example_worker", reloads=RELOADED
)
options = ControlOptions(
    workers=2, drain_seconds=told["drain_seconds"], admin_host="127.0.0.1", admin_port=told["admin_port"],
    log=LogOptions(level="debug", format="json", fd=1),
)
with Listeners(bind_tcp(["127.0.0.1"], 0, 2, 16), []) as listeners:
    control = Control(service, options, listeners, {"colour": "red"}, [int(fd) for fd in told["inherited"]])
    try:
        code = control.run()
    except Failure as failure:
        print(failure.message, file=sys.stderr)
        code = failure.code
    print("finished" if control.finished else "told", file=sys.stderr)
    sys.exit(code)
"""
DRAINS_LONG = """
    worker.ready()
    await worker.stop.wait()
    await asyncio.Event().wait()
"""


class Running:
    """A service as a child process, its log read as it comes."""

    def __init__(self, directory: Path, body: str, **changes: Any) -> None:
        """Start it; its workers do what `body` says."""
        (directory / "example_worker.py").write_text(PROLOGUE + body + EPILOGUE)
        plain = {"drain_seconds": 5.0, "admin_port": 0, "inherited": [], "fails": ""}
        path = os.pathsep.join((str(directory), ENVIRONMENT["PYTHONPATH"]))
        self.process = subprocess.Popen(
            [sys.executable, "-c", MAIN, json.dumps(plain | changes)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT | {"PYTHONPATH": path},
            pass_fds=[int(fd) for fd in changes.get("inherited", [])],
        )
        self.events: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        self.events.extend(json.loads(line) for line in self.process.stdout)

    def find(self, name: str) -> list[dict[str, Any]]:
        """Return the events so far that have this name."""
        return [event for event in list(self.events) if event["event"] == name]

    def event(self, name: str) -> dict[str, Any]:
        """Wait for an event."""
        return until(lambda: self.find(name), f"{name} in the log")[0]

    def get(self, path: str) -> tuple[int, str]:
        """Ask the admin endpoint."""
        try:
            with OPENER.open(self.event("example.ready")["admin"] + path, timeout=SECONDS) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def ended(self) -> tuple[int, str]:
        """Wait for the end; return exit code and standard error."""
        code = self.process.wait(SECONDS)
        self._reader.join(SECONDS)
        assert self.process.stderr
        return code, self.process.stderr.read()

    def close(self) -> None:
        """Be sure that it has ended, and its workers with it."""
        self.process.kill()
        self.process.wait()
        self._reader.join(SECONDS)  # the workers have the log open, so this waits for them as well
        for stream in (self.process.stdout, self.process.stderr):
            assert stream
            stream.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Starts a service whose workers do what a script says."""
    services: list[Running] = []

    def start(body: str = STAYS, **changes: Any) -> Running:
        services.append(Running(tmp_path, body, **changes))
        return services[-1]

    yield start
    for service in services:
        service.close()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, INTERRUPTED)])
def test_life(start: Callable[..., Running], number: int, code: int) -> None:
    """It logs when and where it is ready, drains when told to stop, and logs when it has stopped."""
    service = start()
    ready = service.event("example.ready")
    assert tuple(ready[key] for key in ("workers", "service", "version", "worker")) == (2, "an-example", "1.2.3", None)
    host, port = ready["addresses"][0].split(":")
    with socket.create_connection((host, int(port))):
        pass
    service.process.send_signal(number)
    assert (code, "told\n") == service.ended()
    events = [event["event"] for event in service.events]
    assert events[:4] == ["worker.started"] * 2 + ["example.ready", "example.draining"]
    assert events[4:] == ["worker.exited"] * 2 + ["example.stopped"]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)))


def test_admin_endpoint(start: Callable[..., Running]) -> None:
    """The admin endpoint shows what the service is and counts, also during a drain; a second signal ends that."""
    service = start(DRAINS_LONG, drain_seconds=60.0)
    assert (service.get("/readyz"), service.get("/healthz")) == ((200, "ready\n"), (200, "ok\n"))
    status, recent = (json.loads(service.get(path)[1]) for path in ("/status", "/recent"))
    assert tuple(status[key] for key in ("service", "version", "state")) == ("an-example", "1.2.3", "ready")
    assert status["config"] == {"workers": 2, "colour": "red"}
    assert service.event("example.ready")["addresses"] == status["addresses"]
    assert [worker["state"] for worker in status["workers"]] == ["ready", "ready"]
    assert {event["pid"] for event in service.find("worker.started")} == {each["pid"] for each in status["workers"]}
    metrics = service.get("/metrics")[1]
    for line in ("an_example_taken_total 20.0", "an_example_workers 2.0", "stentor_build_info{", 'process="worker1"'):
        assert line in metrics
    assert "<title>an-example</title>" in service.get("/")[1]
    assert {**status, "ready": True, "uptime_seconds": 0}.items() <= {**recent, "uptime_seconds": 0}.items()
    until(lambda: json.loads(service.get(f"/recent?from={recent['next']}")[1])["snapshots"], "another snapshot")
    service.process.terminate()
    service.event("example.draining")
    assert (service.get("/readyz"), service.get("/healthz")) == ((503, "not ready\n"), (200, "ok\n"))
    recent = json.loads(service.get("/recent")[1])
    assert (recent["state"], recent["ready"]) == ("draining", False)
    service.process.terminate()
    assert service.ended() == (128 + signal.SIGTERM, "")
    assert not service.find("example.stopped")


def test_workers_that_finish(start: Callable[..., Running]) -> None:
    """When the workers have finished their work the service ends, and knows why."""
    service = start("\n    worker.ready()\n    worker.done()\n")
    assert service.ended() == (0, "finished\n")
    assert service.find("example.stopped")


def test_workers_that_cannot_start(start: Callable[..., Running]) -> None:
    """If a worker cannot start, the service fails, and was never ready."""
    service = start("\n    raise SystemExit(3)\n")
    code, told = service.ended()
    assert code == COULD_NOT_START
    assert "did not start in 1 attempts" in told
    assert not service.find("example.ready")


@pytest.mark.parametrize("fails", ["run", "_watch", "_reload"])
def test_task_that_fails(start: Callable[..., Running], fails: str) -> None:
    """A bug in a task of the control process ends the service, instead of leaving a part of it dead."""
    service = start(fails=fails)
    if fails == "_reload":
        service.event("example.ready")
        service.process.send_signal(signal.SIGHUP)
    code, told = service.ended()
    assert (code, told.splitlines()[-1]) == (1, "ZeroDivisionError: a bug")
