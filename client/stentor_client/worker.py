"""The client's data process."""

from stentor_chassis.worker import Worker, run
from stentor_client.metrics import EXCHANGES, SCHEMA
from stentor_client.probe import Probe
from stentor_client.probe_options import ProbeOptions


async def serve(worker: Worker) -> None:
    """Probe until told to stop, or until all that was asked for is done."""
    slots = SCHEMA.slots(EXCHANGES)
    before = sum(sum(worker.board.column(slot)) for slot in range(slots.start, slots.stop))  # by a worker that is gone
    probe = Probe(ProbeOptions.read(worker.options), worker.row, worker.log, worker.stop, before)
    worker.ready()
    await probe.run()
    worker.done()


if __name__ == "__main__":
    run(SCHEMA, serve)
