"""The peers, and how they are built and run."""

import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

SOURCES = Path(__file__).with_name("peers")
BUILD_SECONDS = 120


class UnavailableError(Exception):
    """A program cannot be built or run on this machine; the message gives the reason in a few words."""


GCC = ("-O3", "-march=native", "-o", "{binary}", "{source}")


def build(source: Path, binary: Path, program: str = "gcc", arguments: Iterable[str] = GCC) -> None:
    """Compile `source` to `binary`.

    Raises UnavailableError with the compiler's first error message.
    """
    if shutil.which(program) is None:
        raise UnavailableError(f"{program} is not installed")
    command = [program, *(part.format(source=source, binary=binary) for part in arguments)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise UnavailableError(f"{program} takes more than {BUILD_SECONDS} s") from None
    if done.returncode:
        messages = [line for line in done.stderr.splitlines() if "error" in line] or done.stderr.splitlines()
        message = messages[0].rpartition("error: ")[2] if messages else f"exit code {done.returncode}"
        raise UnavailableError(f"does not build: {message}")


@dataclass(frozen=True)
class Peer:
    """A server that does the same job."""

    name: str
    title: str
    source: str
    program: str  # the compiler, or the interpreter if there is nothing to build
    build: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()

    def command(self, folder: Path) -> tuple[str, ...]:
        """Return the command that serves on a free port; build the peer into `folder` if necessary.

        Raises UnavailableError.
        """
        source, binary = SOURCES / self.source, folder / self.name
        if self.build:
            build(source, binary, self.program, self.build)
            return (str(binary), "0")
        if shutil.which(self.program) is None:
            raise UnavailableError(f"{self.program} is not installed")
        return (self.program, str(source), *self.arguments, "0")


PYTHON = sys.executable

REFERENCE = "epoll"
PEERS = (
    Peer("epoll", "C, epoll", "epoll.c", "gcc", GCC),
    Peer("io_uring", "C, io_uring", "io_uring.c", "gcc", (*GCC, "-luring")),
    Peer("go", "Go", "net.go", "go", ("build", "-o", "{binary}", "{source}")),
    Peer("node", "Node", "net.js", "node"),
    Peer("uvloop_protocol", "uvloop, protocol", "protocol.py", PYTHON, arguments=("uvloop",)),
    Peer("uvloop_streams", "uvloop, streams", "streams.py", PYTHON, arguments=("uvloop",)),
    Peer("asyncio_protocol", "asyncio, protocol", "protocol.py", PYTHON, arguments=("asyncio",)),
    Peer("asyncio_streams", "asyncio, streams", "streams.py", PYTHON, arguments=("asyncio",)),
    Peer("socketserver_threads", "socketserver, threads", "socketserver_threads.py", PYTHON),
)
