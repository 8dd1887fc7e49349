"""A small result, like that of one round."""

from bench.client import CLIENT, CLOSED, HALF, IN_C, PACER
from bench.contender import STENTOR
from bench.measurement import Run
from bench.memory import Memory
from bench.result import Result
from bench.rounds import QUIET, SILENT, WATCHED
from bench.workload import CONNECTIONS, FLOOD, MAIN, OBSERVED, SCRAPED, SIZES, WORKERS

RATES = {STENTOR: 900, "epoll": 1000, "go": 800, "node": 500, "uvloop_protocol": 600}


def run(cell: str, contender: str, rate: float, round_: int = 1, **fields: float) -> Run:
    """Return a run of one second with half a second of processor time."""
    return Run(cell, contender, round_, round(rate), 1.0, server_cpu_seconds=0.5, **fields)  # type: ignore[arg-type]


def sample() -> Result:
    """Return a complete result."""
    runs = [
        run(cell.name, name, rate, p99_us=10, server_utilisation=0.987) for cell in MAIN for name, rate in RATES.items()
    ]
    observed = {STENTOR: 98, QUIET: 99, SILENT: 100}
    runs += [run(cell.name, STENTOR, 100, p99_us=100) for cell in FLOOD]
    runs += [run(cell.name, name, rate) for cell in OBSERVED for name, rate in observed.items()]
    runs += [run(SCRAPED.name, name, 100, p99_us=100) for name in (STENTOR, WATCHED)]
    runs += [run(cell.name, STENTOR, 100) for cell in WORKERS]
    runs += [run(cell.name, name, 100) for cell in (*SIZES, *CONNECTIONS) for name in (STENTOR, "epoll")]
    runs += [run(cell.name, name, 100) for cell in CLOSED for name in (CLIENT, IN_C)]
    runs += [run(HALF.name, CLIENT, 1000, late=1), run(HALF.name, PACER, 1000, late=2)]
    memory = [Memory(STENTOR, 1, 1000, 10_000_000, 12_000_000), Memory("go", 1, failure="gone")]
    many = Memory("stentor-many", 1, 100_002, 60_000_000, 300_000_000)
    machine: dict[str, str | int] = {"processor": "a <fine> one", "cores": 2}
    return Result(machine, {"python": "3.11.0"}, {"io_uring": "no liburing"}, runs, memory, many)
