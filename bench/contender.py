"""The servers that are compared: Stentor as its users start it, and the peers available on this machine."""

import sys
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

from bench.peer import PEERS, UnavailableError
from bench.server import Find, Server, ServerFailedError, find_peer, find_stentor, running

STENTOR = "stentor"
TITLES = {STENTOR: "Stentor"} | {peer.name: peer.title for peer in PEERS}
PROGRAM = Path(sys.executable).with_name("stentor-server")
SERVE = ("serve", "--port", "0", "--admin-port", "0", "--log-format", "json", "--idle-timeout", "10m")


@dataclass(frozen=True)
class Contender:
    """A server that can be started; its command makes it listen on a free port."""

    name: str
    command: tuple[str, ...]
    find: Find = find_peer
    packages: Path | None = None  # searched before the installed ones
    scraped: bool = False  # once a second during a measurement

    @contextmanager
    def running(self, cores: Collection[int], folder: Path) -> Iterator[Server]:
        """Run it on these cores until the block ends, with its log in `folder`.

        Raises ServerFailedError.
        """
        with (
            NamedTemporaryFile(prefix=f"{self.name}-", suffix=".log", dir=folder) as log,
            running(self.command, self.find, cores, Path(log.name), self.packages) as server,
        ):
            yield server


def stentor(
    name: str = STENTOR,
    *arguments: str,
    workers: int = 1,
    connections: int = 19000,
    program: Path = PROGRAM,
    packages: Path | None = None,
    scraped: bool = False,
) -> Contender:
    """Return Stentor with everything on."""
    limits = ("--workers", str(workers), "--max-connections", str(connections))
    return Contender(name, (str(program), *SERVE, *limits, *arguments), find_stentor, packages, scraped)


def contenders(folder: Path, names: Iterable[str] = ()) -> tuple[list[Contender], dict[str, str]]:
    """Return Stentor and the peers, built into `folder`, and a reason for each that is skipped.

    With `names`, return only these.
    """
    wanted = set(names) or set(TITLES)
    ready, skipped = [stentor()] if STENTOR in wanted else [], {}
    for peer in (one for one in PEERS if one.name in wanted):
        try:
            contender = Contender(peer.name, peer.command(folder))
            with contender.running((0,), folder):
                ready.append(contender)
        except (UnavailableError, ServerFailedError) as error:
            skipped[peer.name] = str(error)
    return ready, skipped
