"""A data process of `load`."""

import asyncio
import time

import uvloop

from stentor_chassis.control.worker import Worker, run
from stentor_chassis.counters.histogram import NANOSECONDS
from stentor_client.load.arrivals import Arrivals
from stentor_client.load.generator import Generator
from stentor_client.load.metrics import PROCESSOR, SCHEMA
from stentor_client.load.options import LoadOptions
from stentor_client.load.tally import Tally


async def serve(worker: Worker) -> None:
    """Connect, wait for the common start, and send what is due, until all is answered or the worker must stop."""
    addresses = worker.options.pop("addresses")
    options = LoadOptions.read(worker.options)
    tally = Tally(worker.row)
    async with asyncio.TaskGroup() as group:
        generator = Generator(options, worker.number, tally, worker.log, group, addresses)
        load = group.create_task(_load(worker, options, tally, generator))
        stop = group.create_task(worker.stop.wait())
        stop.add_done_callback(lambda _: load.cancel())
        await asyncio.wait([load])
        stop.cancel()
        tally.measured_until = min(tally.measured_until, time.perf_counter_ns())
        await generator.close()
    worker.done()


async def _load(worker: Worker, options: LoadOptions, tally: Tally, generator: Generator) -> None:
    await generator.connect(options.share(worker.number))
    worker.ready()
    start = int(await worker.messages.get())  # in nanoseconds of `perf_counter_ns`, which all processes share
    tally.measured_from = start + int(options.warmup_seconds * NANOSECONDS)
    tally.measured_until = start + int(options.whole_seconds * NANOSECONDS)
    arrivals = None
    if options.rate is not None:
        arrivals = Arrivals(
            options.rate,
            options.whole_seconds,
            start=start,
            worker=worker.number,
            workers=options.workers,
            poisson=options.poisson,
        )
    generator.start(_measure(tally))
    await generator.run(arrivals, start, tally.measured_until)


async def _measure(tally: Tally) -> None:
    """When the warm-up is over, note what is open, and keep the processor time since then in the row."""
    await asyncio.sleep(max(0, tally.measured_from - time.perf_counter_ns()) / NANOSECONDS)
    tally.begin()
    before = time.process_time_ns()
    while True:
        tally.row[SCHEMA.slot(PROCESSOR)] = time.process_time_ns() - before
        await asyncio.sleep(0.1)


if __name__ == "__main__":
    run(SCHEMA, serve, uvloop.new_event_loop)
