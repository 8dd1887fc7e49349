"""The server's worker process."""

import asyncio
import contextlib
import ctypes

from stentor_chassis.control.worker import Worker, run
from stentor_server.faults.fault import Faults
from stentor_server.guard.addresses import AddressCounts
from stentor_server.metrics import OPEN, SCHEMA
from stentor_server.options import ServerOptions
from stentor_server.path.poller import PollerLoop
from stentor_server.server import Server

# Pending answers of this size get a mapping of their own, which returns to the system when they are sent. In the heap,
# later allocations would keep it. See mallopt(3).
_MMAP_THRESHOLD, _MMAP_BYTES = -3, 32 * 1024


async def serve(worker: Worker) -> None:
    """Serve the inherited listeners, and drain on `stop`; on `retire`, return after the last connection ended."""
    with contextlib.suppress(AttributeError):  # a function of the GNU C library
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, _MMAP_BYTES)
    addresses = None
    if worker.inherited:
        open_by_row = worker.counters.column(SCHEMA.slot(OPEN))
        addresses = AddressCounts(worker.inherited[0], worker.counters.rows, worker.row_number, open_by_row)
    options = ServerOptions(**worker.options)
    seed = None if options.fault_seed is None else f"{options.fault_seed} {worker.number}"
    faults = Faults(options.fault, seed) if options.fault else None
    server = Server(options, worker.counters, worker.row, worker.log, addresses, faults)
    server.start(worker.listeners)
    worker.ready()
    retiring = asyncio.create_task(_retire(worker, server))
    await worker.stop.wait()
    retiring.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await retiring
    await server.drain()


async def _retire(worker: Worker, server: Server) -> None:
    try:
        await worker.retire.wait()
        server.stop_accepting()
        worker.retired()
        await server.retire()
    finally:
        worker.stop.set()  # also after an error, which `serve` then raises


if __name__ == "__main__":
    run(SCHEMA, serve, PollerLoop)
