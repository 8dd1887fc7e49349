"""The cells: what a load generator asks of a server."""

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB
SERVER_CORE = 0
GENERATOR_CORE = 1


@dataclass(frozen=True)
class Cell:
    """One workload, and where it runs."""

    name: str
    title: str
    size_bytes: int = 64
    connections: int = 50
    pipeline: int = 1  # messages in flight on each connection
    churn: bool = False  # each connection carries one message
    idle: int = 0  # connections that are only open
    against: str = ""  # the cell that the rate is compared with; none: the reference peer in this cell
    target: float | None = None  # least ratio
    server_cores: tuple[int, ...] = (SERVER_CORE,)
    generator_cores: tuple[int, ...] = (GENERATOR_CORE,)  # one generator on each

    def generator_arguments(self, *, idle: bool = True) -> list[str]:
        """Return the arguments of each generator: its share of the connections."""
        share = len(self.generator_cores)
        arguments = ["--size", self.size_bytes, "--connections", self.connections // share, "--pipeline", self.pipeline]
        arguments += ["--idle", self.idle // share] if idle else []
        return [str(argument) for argument in arguments] + ["--churn"] * self.churn


MAIN = (
    Cell("64B", "64 B, 50 connections", target=0.90),
    Cell("1KiB", "1 KiB, 50 connections", size_bytes=KIB, target=0.90),
    Cell("64KiB", "64 KiB, 10 connections", size_bytes=64 * KIB, connections=10, target=1.00),
    Cell("1MiB", "1 MiB, 4 connections", size_bytes=MIB, connections=4, target=1.00),
    Cell("pipelined", "64 B, 50 connections, 32 deep", pipeline=32, target=0.85),
    Cell("churn", "connect, one exchange, close", churn=True, target=0.80),
    Cell("idle", "15,000 open connections, 1 % active, against 50", connections=150, idle=14850, against="64B", target=0.80),
)


@dataclass(frozen=True)
class Timing:
    """How long and how often a cell is measured."""

    rounds: int
    seconds: float
    warmup_seconds: float  # of each run, not counted
    first_seconds: float  # a run of its own after the start of a server, not counted


FULL = Timing(rounds=5, seconds=2.0, warmup_seconds=0.3, first_seconds=0.3)
QUICK = Timing(rounds=1, seconds=0.7, warmup_seconds=0.15, first_seconds=0.15)
