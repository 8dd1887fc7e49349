"""A data process of `load`."""

import asyncio
import time

from stentor_chassis.control.worker import Worker, run
from stentor_chassis.counters.histogram import NANOSECONDS
from stentor_chassis.counters.shared_counters import CONTROL
from stentor_client.load.arrivals import Arrivals
from stentor_client.load.generator import Generator
from stentor_client.load.metrics import PROCESSOR, SCHEMA, START
from stentor_client.load.options import LoadOptions
from stentor_client.load.tally import Tally

LOOK_SECONDS = 0.002


async def serve(worker: Worker) -> None:
    """Connect, wait for the common start, and send what is due."""
    options = LoadOptions.read(worker.options)
    tally = Tally(worker.row)
    generator = Generator(options, worker.number, tally, worker.log)
    await generator.connect(options.share(worker.number), worker.stop)
    worker.ready()
    start_row, slot = worker.counters.row(CONTROL), SCHEMA.slot(START)
    while not (start := start_row[slot]) and not worker.stop.is_set():  # noqa: ASYNC110
        await asyncio.sleep(LOOK_SECONDS)  # a word in shared memory wakes nobody
    if start:
        await _send(generator, tally, worker, options, start)
    await generator.close()
    worker.done()


async def _send(generator: Generator, tally: Tally, worker: Worker, options: LoadOptions, start: int) -> None:
    tally.measured_from = start + int(options.warmup_seconds * NANOSECONDS)
    tally.measured_until = start + int(options.whole_seconds * NANOSECONDS)
    meter = asyncio.create_task(_measure_processor(worker.row, tally.measured_from))
    await generator.run(_arrivals(options, worker.number, start), start, tally.measured_until, worker.stop)
    meter.cancel()


def _arrivals(options: LoadOptions, worker: int, start: int) -> Arrivals | None:
    if options.rate is None:
        return None
    return Arrivals(
        options.rate,
        options.whole_seconds,
        start=start,
        worker=worker,
        workers=options.workers,
        poisson=options.poisson,
    )


async def _measure_processor(row: "memoryview[int]", measured_from: int) -> None:
    """Keep the processor time since the warm-up in the row."""
    await asyncio.sleep(max(0, measured_from - time.perf_counter_ns()) / NANOSECONDS)
    before = time.process_time_ns()
    while True:
        row[SCHEMA.slot(PROCESSOR)] = time.process_time_ns() - before
        await asyncio.sleep(0.1)


if __name__ == "__main__":
    run(SCHEMA, serve)
