"""The server's data process."""

from stentor_chassis.worker import Worker, run
from stentor_server.addresses import AddressCounts
from stentor_server.metrics import OPEN, SCHEMA
from stentor_server.options import ServerOptions
from stentor_server.server import Server


async def serve(worker: Worker) -> None:
    """Serve the inherited listeners until told to stop, then drain."""
    options = ServerOptions(**worker.options)
    addresses = None
    if worker.inherited:
        open_by_row = worker.board.column(SCHEMA.slot(OPEN))
        addresses = AddressCounts(worker.inherited[0], worker.board.rows, worker.row_number, open_by_row)
    server = Server(options, worker.board, worker.row, worker.log, addresses)
    server.start(worker.listeners)
    worker.ready()
    await worker.stop.wait()
    await server.drain()


if __name__ == "__main__":
    run(SCHEMA, serve)
