"""The server's data process."""

from stentor_chassis.worker import Worker, run
from stentor_server.metrics import SCHEMA
from stentor_server.server import Server, ServerOptions


async def serve(worker: Worker) -> None:
    """Serve the inherited listeners until told to stop, then drain."""
    server = Server(ServerOptions(**worker.options), worker.board, worker.row, worker.log)
    await server.start(worker.listeners)
    worker.ready()
    await worker.stop.wait()
    await server.drain()


if __name__ == "__main__":
    run(SCHEMA, serve)
