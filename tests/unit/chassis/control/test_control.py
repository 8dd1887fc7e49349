"""Control processes."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from processes import Service
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
    workers=2, drain_seconds=told["drain_seconds"], admin_host="127.0.0.1", admin_port=0,
    log=LogOptions(level="debug", format="json", fd=1),
)
with Listeners(bind_tcp(["127.0.0.1"], 0, 2, 16), []) as listeners:
    control = Control(service, options, listeners, {"colour": "red"})
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


class Running(Service):
    """A service whose workers do what `body` says."""

    def __init__(self, directory: Path, body: str, **changes: Any) -> None:
        """Start it."""
        (directory / "example_worker.py").write_text(PROLOGUE + body + EPILOGUE)
        plain = {"drain_seconds": 5.0, "fails": ""}
        super().__init__(
            *(sys.executable, "-c", MAIN, json.dumps(plain | changes)),
            ready="example.ready",
            environment={"PYTHONPATH": os.pathsep.join((str(directory), ENVIRONMENT["PYTHONPATH"]))},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def ended(self) -> tuple[int, str]:
        """Wait for the end; return exit code and standard error."""
        assert self.process.stderr
        return self.end(), self.process.stderr.read()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Starts a service whose workers do what a script says."""
    with ExitStack() as services:

        def start(body: str = STAYS, **changes: Any) -> Running:
            service = Running(tmp_path, body, **changes)
            services.push(service)
            return service

        yield start


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
