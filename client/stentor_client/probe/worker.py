"""The client's data process."""

import uvloop

from stentor_chassis.control.worker import Worker, run
from stentor_chassis.counters.shared_counters import GONE
from stentor_client.metrics import SCHEMA
from stentor_client.probe.options import ProbeOptions
from stentor_client.probe.run import Probe


async def serve(worker: Worker) -> None:
    """Probe until the worker must stop, or the count is reached."""
    before = worker.counters.row(GONE).tolist()
    probe = Probe(ProbeOptions.read(worker.options), worker.row, worker.log, worker.stop, before)
    worker.ready()
    await probe.run()
    worker.done()


if __name__ == "__main__":
    run(SCHEMA, serve, uvloop.new_event_loop)
