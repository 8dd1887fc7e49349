"""Who takes part: Stentor as its users start it, and the peers that can be had on this machine."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

from bench.peer import PEERS, UnavailableError
from bench.server import Server, ServerFailedError, running_peer, running_stentor

STENTOR = "stentor"
TITLES = {STENTOR: "Stentor"} | {peer.name: peer.title for peer in PEERS}


@dataclass(frozen=True)
class Contender:
    """A server that can be started."""

    name: str
    command: tuple[str, ...] = ()  # of a peer; none: Stentor
    arguments: tuple[str, ...] = ()  # of Stentor
    packages: Path | None = None  # where Stentor's are, if not where they are installed
    scraped: bool = False  # once a second while it is measured

    @contextmanager
    def running(self, cores: Iterable[int], folder: Path) -> Iterator[Server]:
        """Run it on these cores, with its log in `folder` meanwhile.

        Raises ServerFailedError.
        """
        with NamedTemporaryFile(prefix=f"{self.name}-", suffix=".log", dir=folder) as file:
            log = Path(file.name)
            if self.command:
                running = running_peer(self.command, cores, log)
            else:
                running = running_stentor(self.arguments, cores, log, self.packages)
            with running as server:
                yield server


def stentor(
    name: str = STENTOR,
    *arguments: str,
    workers: int = 1,
    connections: int = 19000,
    packages: Path | None = None,
    scraped: bool = False,
) -> Contender:
    """Return Stentor with everything on."""
    limits = ("--workers", str(workers), "--max-connections", str(connections))
    return Contender(name, arguments=(*limits, *arguments), packages=packages, scraped=scraped)


def contenders(folder: Path, names: Iterable[str] = ()) -> tuple[list[Contender], dict[str, str]]:
    """Return Stentor and the peers, built into `folder`; and those that are skipped, with the reason.

    With `names` only these.
    """
    wanted = set(names) or set(TITLES)
    ready, skipped = [stentor()] if STENTOR in wanted else [], {}
    for peer in PEERS:
        if peer.name not in wanted:
            continue
        try:
            contender = Contender(peer.name, peer.command(folder))
            with contender.running((0,), folder):
                ready.append(contender)
        except (UnavailableError, ServerFailedError) as error:
            skipped[peer.name] = str(error)
    return ready, skipped
