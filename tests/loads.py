"""Running `stentor-client load`."""

import json
import signal
import subprocess
from types import TracebackType
from typing import Any, Self

from processes import BIN, ENVIRONMENT


class Load:
    """A load in a process of its own, whose figures are read when it is over."""

    def __init__(self, target: str, *options: str) -> None:
        """Start it."""
        self.process = subprocess.Popen(
            [f"{BIN}/stentor-client", "load", "--target", target, "--json", "-", "--log-format", "json", *options],
            env=ENVIRONMENT,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.figures: dict[str, Any] = {}
        self.events: list[dict[str, Any]] = []
        self.complaints = ""

    def __enter__(self) -> Self:
        """Run."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Be sure that it is gone."""
        if self.process.poll() is None:
            self.process.kill()
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        self.process.wait()

    def end(self) -> int:
        """Wait for its end, read what it says, and return the exit code."""
        said, complained = self.process.communicate(timeout=60)
        self.figures = json.loads(said) if said else {}
        self.events = [json.loads(line) for line in complained.splitlines() if line.startswith("{")]
        self.complaints = "\n".join(line for line in complained.splitlines() if not line.startswith("{"))
        return self.process.returncode

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        self.process.send_signal(signal.SIGINT)


def loaded(target: str, *options: str) -> Load:
    """Run a load to its end, and return it."""
    with Load(target, *options) as load:
        load.end()
    return load
