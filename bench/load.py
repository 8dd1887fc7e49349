"""The load generator, as a process."""

import json
import subprocess
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from bench.peer import GCC, compile_
from bench.process import end, pinned

SOURCE = Path(__file__).with_name("load.c")
GRACE_SECONDS = 60.0  # beyond what it was asked to run, above all to open its connections


class LoadFailedError(Exception):
    """The load could not be made, or a reply was wrong; the message is one line."""


class Load:
    """A running load generator, which says how far it is."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        """Listen to `process`."""
        self._said = cast("IO[bytes]", process.stdout)
        self._complained = cast("IO[bytes]", process.stderr)

    def wait_for(self, stage: str) -> dict[str, Any]:
        """Return the line that has `stage`: open, warm, or exchanges, which is the result.

        Raises LoadFailedError.
        """
        for line in self._said:
            said = cast("dict[str, Any]", json.loads(line))
            if stage in said:
                return said
        complaint = self._complained.read().decode(errors="replace").strip()
        raise LoadFailedError(complaint or f"load: ended, or was ended, before it was {stage}")


class Generator:
    """The built load generator."""

    def __init__(self, folder: Path) -> None:
        """Build it into `folder`.

        Raises UnavailableError.
        """
        self._binary = str(folder / "load")
        compile_("gcc", *(part.format(source=SOURCE, binary=self._binary) for part in GCC))

    @contextmanager
    def running(
        self, port: int, arguments: Sequence[str], seconds: float, warmup_seconds: float, cores: Iterable[int]
    ) -> Iterator[Load]:
        """Run it against `port`; it is ended on leaving, or when it takes far too long."""
        command = [self._binary, *arguments, "--seconds", str(seconds), "--warmup", str(warmup_seconds), str(port)]
        with pinned(cores):
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        watchdog = threading.Timer(seconds + warmup_seconds + GRACE_SECONDS, process.kill)
        watchdog.start()
        try:
            yield Load(process)
        finally:
            watchdog.cancel()
            end(process)
            for pipe in (process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()
