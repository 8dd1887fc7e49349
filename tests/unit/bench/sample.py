"""A small result, like that of one round."""

from bench.client import CLIENT, CLOSED, HALF, IN_C, PACER
from bench.contender import STENTOR
from bench.measurement import Run
from bench.memory import Memory
from bench.result import Result
from bench.rounds import QUIET, SILENT, WATCHED
from bench.workload import CONNECTIONS, FLOOD, MAIN, OBSERVED, SCRAPED, SIZES, WORKERS

MAIN_RATES = {STENTOR: 900, "epoll": 1000, "go": 800, "node": 500, "uvloop_protocol": 600}
RATES = [
    *((MAIN, name, rate) for name, rate in MAIN_RATES.items()),
    *((OBSERVED, name, rate) for name, rate in ((STENTOR, 98), (QUIET, 99), (SILENT, 100))),
    *(((*FLOOD, SCRAPED, *WORKERS, *SIZES, *CONNECTIONS), name, 100) for name in (STENTOR, "epoll", WATCHED)),
    *((CLOSED, name, 100) for name in (CLIENT, IN_C)),
    *(((HALF,), name, 1000) for name in (CLIENT, PACER)),
]


def run(cell: str, contender: str, rate: int, round_: int = 1) -> Run:
    """Return a run of one second with half a second of processor time and one late send."""
    return Run(cell, contender, round_, rate, 1.0, 10, 100, 100, 0.5, server_utilisation=0.987, late=1)


def sample() -> Result:
    """Return a complete result."""
    runs = [run(cell.name, name, rate) for cells, name, rate in RATES for cell in cells]
    memory = [Memory(STENTOR, 1, 1000, 10_000_000, 12_000_000), Memory("go", 1, failure="gone")]
    many = Memory("stentor-many", 1, 100_002, 60_000_000, 300_000_000)
    return Result({"processor": "a <fine> one"}, {"python": "3.11.0"}, {"io_uring": "no liburing"}, runs, memory, many)
