"""The peers: what they are, and how each is built and run."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

SOURCES = Path(__file__).with_name("peers")
BUILD_SECONDS = 120


class UnavailableError(Exception):
    """A peer cannot be built or run on this machine; the message says why, in a few words."""


@dataclass(frozen=True)
class Peer:
    """A server that does the same job."""

    name: str
    title: str
    source: str
    program: str  # builds it, or runs it where nothing is built
    build: tuple[str, ...] = ()

    def command(self, folder: Path) -> tuple[str, ...]:
        """Build the peer into `folder`, if it is one to build, and return the command that takes a port.

        Raises UnavailableError.
        """
        source = SOURCES / self.source
        program = shutil.which(self.program)
        if program is None:
            raise UnavailableError(f"{self.program} is not installed")
        if not self.build:
            return (program, str(source))
        binary = str(folder / self.name)
        steps = [part.format(source=source, binary=binary) for part in self.build]
        compile_(program, *steps)
        return (binary,)


def compile_(*command: str) -> None:
    """Run a compiler.

    Raises UnavailableError with its first complaint.
    """
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnavailableError(f"{Path(command[0]).name}: {type(error).__name__}") from None
    if done.returncode:
        complaints = [line for line in done.stderr.splitlines() if "error" in line] or done.stderr.splitlines()
        complaint = complaints[0].rpartition("error: ")[2] if complaints else f"exit code {done.returncode}"
        raise UnavailableError(f"does not build: {complaint}")


GCC = ("-O3", "-march=native", "-o", "{binary}", "{source}")

REFERENCE = "epoll"
PEERS = (
    Peer("epoll", "C, epoll", "epoll.c", "gcc", GCC),
    Peer("io_uring", "C, io_uring", "io_uring.c", "gcc", (*GCC, "-luring")),
    Peer("go", "Go", "net.go", "go", ("build", "-o", "{binary}", "{source}")),
    Peer("node", "Node", "net.js", "node"),
    Peer("uvloop_protocol", "uvloop, protocol", "uvloop_protocol.py", sys.executable),
    Peer("uvloop_streams", "uvloop, streams", "uvloop_streams.py", sys.executable),
    Peer("asyncio_protocol", "asyncio, protocol", "asyncio_protocol.py", sys.executable),
    Peer("asyncio_streams", "asyncio, streams", "asyncio_streams.py", sys.executable),
    Peer("socketserver_threads", "socketserver, threads", "socketserver_threads.py", sys.executable),
)
