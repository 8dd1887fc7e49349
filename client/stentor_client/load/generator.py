"""One worker's share of a load: its connections, and the exchanges that are due."""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Awaitable, Coroutine
from typing import Any

from stentor_chassis.counters.histogram import NANOSECONDS
from stentor_chassis.logs.log import Logger
from stentor_client.load.arrivals import Arrivals
from stentor_client.load.flow import Flow
from stentor_client.load.options import LoadOptions
from stentor_client.load.tally import Tally
from stentor_client.timing.back_off import back_off_seconds
from stentor_client.timing.timer import Timer
from stentor_client.verify.message import MessageSource
from stentor_client.verify.outcomes import ExchangeError, Outcome, Phase
from stentor_client.verify.verifier import EXPECTATIONS, Verdict, explained
from stentor_client.wire.dialer import Dialer

BACKOFF_MOST_SECONDS = 1.0
SWEEPS_PER_TIMEOUT = 20
SWEEP_MOST_SECONDS = 0.05
LOGGED_OF_EACH = 5  # failures by outcome; the others are counted
MOST_AT_ONCE = 256
BATCH_NANOSECONDS = 50_000  # what is due within this is sent in one go: a wake-up of its own would cost more
CONNECTING_AT_ONCE = 64
_FLOWS = 1 << 20  # of one worker


class Generator:
    """Sends what is due, over whichever connection is free.

    Open loop: what is due while every connection is busy waits in a queue, and its response time runs. Closed loop: a
    connection that is free is due at once.
    """

    def __init__(self, options: LoadOptions, worker: int, tally: Tally, log: Logger) -> None:
        """Needs a running event loop."""
        self._options = options
        self._tally = tally
        self._log = log
        self._arrivals: Arrivals | None = None
        self._dialer = Dialer(options.dial, tally.unused)
        self._messages = MessageSource(max(options.sizes), EXPECTATIONS[options.expect])
        self._sizes = options.sizes
        self._first_number = worker * _FLOWS
        self._numbers = 0
        self._until = 0
        self._flows: set[Flow] = set()
        self._answered: list[Flow] = []  # once for each message that may be sent in its place
        self._free: deque[Flow] = deque()  # once for each further message that it may carry
        self._queue: deque[int] = deque()  # due, and no connection free
        self._places = 0  # for connections that are made for one exchange only
        self._outstanding = 0  # sent, and not answered
        self._dialing = 0  # for an exchange that is due
        self._sent = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._connecting = asyncio.Semaphore(CONNECTING_AT_ONCE)
        self._failures: Counter[Outcome] = Counter()
        self._timer = Timer(self._send_due)
        self._ended = asyncio.Event()
        self._over = False

    async def connect(self, share: int, stop: asyncio.Event) -> None:
        """Try to make this worker's connections; one that cannot be made is tried again while the load runs."""
        if self._options.fresh:
            self._places = share
            return
        attempts = [asyncio.get_running_loop().create_future() for _ in range(share)]
        for attempt in attempts:
            self._start(self._keep_connected(attempt))
        await _first(asyncio.wait(attempts), stop.wait())

    async def run(self, arrivals: Arrivals | None, start: int, until: int, stop: asyncio.Event) -> None:
        """Send what is due from `start` up to `until`, and wait for the replies; without arrivals the loop is closed.

        Both are nanoseconds of `perf_counter_ns`.
        """
        self._arrivals = arrivals
        self._until = until
        self._start(self._sweep())
        self._timer.set(arrivals.due if arrivals else start)
        await _first(self._ended.wait(), stop.wait())

    async def close(self) -> None:
        """Send nothing more, and close every connection; what is still under way has no outcome."""
        self._over = True
        for task in self._tasks:
            task.cancel()
        self._timer.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(flow.leave() for flow in self._flows))

    def _send_due(self) -> None:
        arrivals = self._arrivals
        if arrivals is None:
            self._begin_closed()
            return
        now = time.perf_counter_ns()
        for _ in range(MOST_AT_ONCE):  # then replies and time-outs have their turn, also where this falls behind
            due = arrivals.due
            if due >= self._until:
                return
            if due > now:
                break
            self._tally.due(due, time.perf_counter_ns())
            self._arrive(due)
            arrivals.advance()
        self._timer.set(max(arrivals.due, now + BATCH_NANOSECONDS))

    def _arrive(self, due: int) -> None:
        while self._free:
            flow = self._free.popleft()
            if flow.lost_by is None:
                self._send(flow, due)
                return
        if self._places:
            self._places -= 1
            self._start(self._exchange_fresh(due))
        else:
            self._queue.append(due)

    def _begin_closed(self) -> None:
        free, self._free = self._free, deque()
        for flow in free:
            self._next(flow)
        for _ in range(self._places):
            self._start(self._exchange_fresh(self._due_now()))
        self._places = 0

    def _due_now(self) -> int:
        """Return what waits, or in a closed loop what is due by itself; 0 where nothing is, as before the start."""
        if self._queue:
            return self._queue.popleft()
        now = time.perf_counter_ns()
        if self._arrivals is None and now < self._until:
            self._tally.due(now, now)
            return now
        return 0

    def _next(self, flow: Flow) -> None:
        """Use a place for one message that has become free."""
        if flow.lost_by is not None:
            return
        due = self._due_now()
        if due:
            self._send(flow, due)
        else:
            self._free.append(flow)

    def _send(self, flow: Flow, due: int) -> None:
        flow.sequence = sequence = flow.sequence + 1
        self._sent = count = self._sent + 1
        size = self._sizes[count % len(self._sizes)]
        message, reply = self._messages.build(flow.number, sequence, size)
        self._outstanding += 1
        flow.post(message, reply, due)

    def _send_in_turn(self) -> None:
        """Send on every flow that was answered since, in one go: a server that sleeps is then woken once for all."""
        answered, self._answered = self._answered, []
        for flow in answered:
            self._next(flow)

    def answered_right(self, flow: Flow) -> None:
        """Take the right reply to the only exchange that a flow had under way; the hot path."""
        due, sent, size, _ = flow.pending.pop()
        self._outstanding -= 1
        flow.good = True
        now = flow.answered_at
        self._tally.good(due, sent, now, now, size)
        if self._options.fresh:
            flow.wake()
        else:
            self._free_again(flow)

    def _free_again(self, flow: Flow) -> None:
        if not self._answered:
            asyncio.get_running_loop().call_soon(self._send_in_turn)
        self._answered.append(flow)

    def answered(self, flow: Flow, verdicts: list[Verdict]) -> None:
        """Take the verdicts on a flow's oldest exchanges; and its end, if `lost_by` says so."""
        if self._over:
            return
        pending, tally = flow.pending, self._tally
        self._outstanding -= len(verdicts)
        extra = False
        for verdict in verdicts:
            due, sent, size, alone = pending.popleft()
            if verdict.outcome is Outcome.OK:
                flow.good = True
                first_byte = flow.first_byte_at if alone and not pending else 0
                tally.good(due, sent, first_byte, flow.answered_at, size)
            else:
                extra = extra or verdict.outcome is Outcome.EXTRA
                self._fail(due, verdict.outcome, verdict.phase, **explained(verdict), connection=flow.number)
        if flow.lost_by is not None:
            tally.lost(flow.lost_by)
        elif extra:  # whose is what comes now, nobody can say
            self._start(flow.abandon(Outcome.EXTRA))
        elif not self._options.fresh:
            for _ in verdicts:
                self._free_again(flow)

    def came(self, flow: Flow) -> None:
        """Keep a flow that has a connection, until it is gone."""
        self._flows.add(flow)

    def gone(self, flow: Flow) -> None:
        """Forget a flow that has closed."""
        self._flows.discard(flow)

    def _fail(self, due: int, outcome: Outcome, phase: Phase, **facts: Any) -> None:
        self._tally.failed(due, outcome)
        self._failures[outcome] += 1
        if self._failures[outcome] <= LOGGED_OF_EACH:
            self._log.warning("exchange.failed", outcome=outcome, phase=phase, **facts)

    async def _dial(self) -> Flow:
        self._numbers += 1
        number = self._first_number + self._numbers % _FLOWS
        flow, record = await self._dialer.dial(lambda: Flow(self._tally, self, number))
        self._tally.dialed(record.durations)
        return flow

    async def _keep_connected(self, attempt: "asyncio.Future[None]") -> None:
        """Keep one connection in use, a new one where it is lost; the first attempt to make it ends `attempt`."""
        failures = 0
        while True:
            failures += 1
            try:
                async with self._connecting:
                    flow = await self._dial()
            except ExchangeError as error:
                if due := self._due_now():
                    self._fail(due, error.outcome, error.phase, detail=error.detail)
                _end(attempt)
            else:
                for _ in range(self._options.pipeline):
                    self._next(flow)
                _end(attempt)
                await flow.wait_closed()
                if flow.good:
                    failures = 0
            await _back_off(failures)

    async def _exchange_fresh(self, due: int) -> None:
        """Exchange over a connection of its own, and go on with what is due by then."""
        failures = 0
        while due:
            self._dialing += 1
            try:
                flow = await self._dial()
            except ExchangeError as error:
                self._fail(due, error.outcome, error.phase, detail=error.detail)
                failures += 1
                await _back_off(failures)
            else:
                failures = 0
                await self._exchange_over(flow, due)
            finally:
                self._dialing -= 1
            due = self._due_now()
        self._places += 1

    async def _exchange_over(self, flow: Flow, due: int) -> None:
        if flow.lost_by is not None:
            self._fail(due, flow.lost_by, Phase.FIRST_BYTE, connection=flow.number)
            return
        self._send(flow, due)
        while flow.pending:
            await flow.news()
        if flow.lost_by is None:
            await flow.leave()

    async def _sweep(self) -> None:
        """Give up what takes too long, and see when all is over."""
        timeout = int(self._options.timeout_seconds * NANOSECONDS)
        while True:
            await asyncio.sleep(min(self._options.timeout_seconds / SWEEPS_PER_TIMEOUT, SWEEP_MOST_SECONDS))
            now = time.perf_counter_ns()
            for flow in list(self._flows):
                if flow.pending and now - flow.pending[0][1] > timeout:
                    self._start(flow.abandon(Outcome.TIMEOUT))
            while self._queue and now - self._queue[0] > timeout:
                self._fail(self._queue.popleft(), Outcome.TIMEOUT, Phase.CONNECT, detail="no connection became free")
            if now >= self._until and not self._unfinished():
                self._ended.set()

    def _unfinished(self) -> bool:
        still_due = self._arrivals is not None and self._arrivals.due < self._until
        return bool(still_due or self._queue or self._outstanding or self._dialing)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _first(*awaited: Awaitable[Any]) -> None:
    """Wait for the first of several, and call the others off."""
    tasks = [asyncio.ensure_future(each) for each in awaited]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()


def _end(attempt: "asyncio.Future[None]") -> None:
    if not attempt.done():
        attempt.set_result(None)


async def _back_off(failures: int) -> None:
    await asyncio.sleep(back_off_seconds(failures, BACKOFF_MOST_SECONDS))
