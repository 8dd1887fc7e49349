"""The cells: workloads, and the cores on which they run."""

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB
SERVER_CORE = 0
GENERATOR_CORE = 1


@dataclass(frozen=True)
class Cell:
    """One workload and its cores."""

    name: str
    title: str
    size_bytes: int = 64
    connections: int = 50
    pipeline: int = 1  # messages in flight on each connection
    churn: bool = False  # each connection carries one message
    idle: int = 0  # connections that are only held open
    non_reading: int = 0  # connections that write and never read
    baseline: str = ""  # compare the rate with the same server's in this cell; empty: with the reference's in this one
    target: float = 0.0  # lowest acceptable ratio; 0: none
    server_cores: tuple[int, ...] = (SERVER_CORE,)
    generator_cores: tuple[int, ...] = (GENERATOR_CORE,)  # one generator on each

    def generator_arguments(self, *, idle: bool = True) -> list[str]:
        """Return the arguments of each generator: its share of the connections."""
        share = len(self.generator_cores)
        numbers = {"size": self.size_bytes, "connections": self.connections // share, "pipeline": self.pipeline}
        if idle:
            numbers |= {"idle": self.idle // share, "non-reading": self.non_reading // share}
        arguments = [text for name, number in numbers.items() for text in (f"--{name}", str(number))]
        return [*arguments, *["--churn"] * self.churn]


MAIN = (
    Cell("64B", "64 B, 50 connections", target=0.90),
    Cell("1KiB", "1 KiB, 50 connections", size_bytes=KIB, target=0.90),
    Cell("64KiB", "64 KiB, 10 connections", size_bytes=64 * KIB, connections=10, target=1.00),
    Cell("1MiB", "1 MiB, 4 connections", size_bytes=MIB, connections=4, target=1.00),
    Cell("pipelined", "64 B, 50 connections, 32 deep", pipeline=32, target=0.85),
    Cell("churn", "connect, one exchange, close", churn=True, target=0.80),
    Cell("idle", "15,000 open, 1 % active, against 50", connections=150, idle=14850, baseline="64B", target=0.80),
)
# What metrics and logs cost: per message, and per connection.
OBSERVED = (
    Cell("observed", "64 B, 50 connections"),
    Cell("observed-churn", "connect, one exchange, close", churn=True),
)
SCRAPED = Cell("scraped", "64 B, 50 connections")
# What other clients notice of those that never read.
FLOOD = (
    Cell("calm", "64 B, 50 connections"),
    Cell("flood", "the same beside 1,000 that write and never read", non_reading=1000),
)
# Each worker has 50 connections and shares its core with a generator; half of them are from the other core.
BOTH_CORES = (SERVER_CORE, GENERATOR_CORE)
WORKERS = (
    Cell("workers-1", "1 worker", generator_cores=BOTH_CORES),
    Cell("workers-2", "2 workers", connections=100, server_cores=BOTH_CORES, generator_cores=BOTH_CORES),
)
SIZES = tuple(
    Cell(f"size-{size}", f"{size} B", size_bytes=size, connections=10)
    for size in (64, 256, KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB)
)
CONNECTIONS = tuple(
    Cell(f"connections-{number}", f"{number} connections", connections=number)
    for number in (1, 3, 10, 30, 100, 300, 1000)
)


@dataclass(frozen=True)
class Timing:
    """How long and how often a cell is measured."""

    rounds: int
    seconds: float
    warmup_seconds: float = 0.3  # before each measurement, not counted
    first_seconds: float = 0.3  # a run after the start of a server, not counted
    slices: int = 0  # the running servers of a group take turns in slices of `seconds`; 0: one after the other


FULL = Timing(rounds=5, seconds=1.0)
QUICK = Timing(rounds=1, seconds=0.7, warmup_seconds=0.15, first_seconds=0.15)
# A difference of a few percent would drown in the machine's drift over seconds, and in that of equal processes.
COMPARISON = Timing(rounds=12, seconds=0.25, warmup_seconds=0.05, slices=6)
PAIR = Timing(rounds=5, seconds=0.25, warmup_seconds=0.05, first_seconds=0.15, slices=4)
TAILS = Timing(rounds=8, seconds=2.0, slices=4)  # with the warm-up, long enough for two scrapes
GROWTH = Timing(rounds=3, seconds=0.8)
