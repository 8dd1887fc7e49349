"""The load generator as a process."""

import json
import subprocess
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from bench.peer import build
from bench.process import end, pinned

SOURCE = Path(__file__).with_name("load.c")
GRACE_SECONDS = 60.0  # beyond its running time, above all for opening connections


class LoadFailedError(Exception):
    """There is no load, or a reply was wrong; the message is one line."""


class Load:
    """A running load generator, which reports its progress."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        """Read the output of `process`."""
        self._output = cast("IO[bytes]", process.stdout)
        self._errors = cast("IO[bytes]", process.stderr)

    def wait_for(self, stage: str) -> dict[str, Any]:
        """Return the report of a stage: `open`, `warm`, or `exchanges`, which is the result.

        Raises LoadFailedError.
        """
        for line in self._output:
            report = cast("dict[str, Any]", json.loads(line))
            if stage in report:
                return report
        message = self._errors.read().decode(errors="replace").strip()
        raise LoadFailedError(message or f"load: ended before it reported {stage}")


class Generator:
    """The built load generator."""

    def __init__(self, folder: Path) -> None:
        """Build it into `folder`.

        Raises UnavailableError.
        """
        self._binary = folder / "load"
        build(SOURCE, self._binary)

    @contextmanager
    def running(
        self, port: int, arguments: Sequence[str], seconds: float, warmup_seconds: float, cores: Iterable[int]
    ) -> Iterator[Load]:
        """Run it against `port` until the block ends, or it exceeds its time by far."""
        times = ("--seconds", str(seconds), "--warmup", str(warmup_seconds))
        with pinned(cores):
            process = subprocess.Popen(
                [self._binary, *arguments, *times, str(port)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
        watchdog = threading.Timer(seconds + warmup_seconds + GRACE_SECONDS, process.kill)
        watchdog.start()
        with process:
            try:
                yield Load(process)
            finally:
                watchdog.cancel()
                end(process)
