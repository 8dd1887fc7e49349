"""The client's data process."""

from stentor_chassis.board import GONE
from stentor_chassis.worker import Worker, run
from stentor_client.metrics import SCHEMA
from stentor_client.probe import Probe
from stentor_client.probe_options import ProbeOptions


async def serve(worker: Worker) -> None:
    """Probe until told to stop, or until all that was asked for is done."""
    before = worker.board.row(GONE).tolist()
    probe = Probe(ProbeOptions.read(worker.options), worker.row, worker.log, worker.stop, before)
    worker.ready()
    await probe.run()
    worker.done()


if __name__ == "__main__":
    run(SCHEMA, serve)
