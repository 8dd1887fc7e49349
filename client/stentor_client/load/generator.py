"""One worker's share of a load: its connections, and the exchanges that are due."""

import asyncio
from collections import Counter, deque
from collections.abc import Coroutine, Sequence
from time import perf_counter_ns
from typing import Any

from stentor_chassis.counters.histogram import NANOSECONDS
from stentor_chassis.logs.log import Logger
from stentor_client.load.arrivals import Arrivals
from stentor_client.load.connector import Connector
from stentor_client.load.flow import Flow
from stentor_client.load.options import LoadOptions
from stentor_client.load.tally import Tally
from stentor_client.timing.back_off import back_off_seconds
from stentor_client.timing.timer import Timer
from stentor_client.verify.message import MessageSource
from stentor_client.verify.outcomes import ExchangeError, Outcome, Phase
from stentor_client.verify.verifier import EXPECTATIONS, Verdict, explained

BACKOFF_MOST_SECONDS = 1.0
SWEEPS_PER_TIMEOUT = 20
SWEEP_MOST_SECONDS = 0.05
LOGGED_OF_EACH = 5  # failures by outcome; the others are only counted
MOST_AT_ONCE = 256
BATCH_NANOSECONDS = 50_000  # exchanges due within this time are sent together, because each wake-up costs time
CONNECTING_AT_ONCE = 64


class Generator:
    """Sends what is due, over any connection that is free.

    Open loop: an exchange that is due while every connection is busy waits in a queue, and its response time runs.
    Closed loop: an exchange is due as soon as a connection is free.
    """

    def __init__(
        self,
        options: LoadOptions,
        worker: int,
        tally: Tally,
        log: Logger,
        group: asyncio.TaskGroup,
        addresses: Sequence[str] = (),
    ) -> None:
        """Prepare; `group` fails with any task or callback. Counts are kept for each of the `addresses`."""
        self._options = options
        self._tally = tally
        self._log = log
        self._arrivals: Arrivals | None = None
        self._connector = Connector(options.dial, worker, tally, addresses)
        self._messages = MessageSource(max(options.sizes), EXPECTATIONS[options.expect])
        self._sizes = options.sizes
        self._fresh = options.fresh
        self._until = 0
        self._flows: set[Flow] = set()  # that are open
        self._answered: list[Flow] = []  # once for each message that may follow the one answered
        self._free: deque[Flow] = deque()  # once for each further message that it may carry
        self._queue: deque[int] = deque()  # the moments at which exchanges were due that wait for a connection
        self._places = self._free_places = 0  # for fresh connections, each of which carries one exchange
        self._sent = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._connecting = asyncio.Semaphore(CONNECTING_AT_ONCE)
        self._failures: Counter[Outcome] = Counter()
        self._timer = Timer(self._send_due)
        self._ended = asyncio.Event()
        self._closing = False
        self._group = group
        loop = asyncio.get_running_loop()
        self._failed: asyncio.Future[None] = loop.create_future()  # with what the first callback to fail raised
        self.start(self._wait_for_failure())
        loop.set_exception_handler(self._callback_failed)

    async def connect(self, share: int) -> None:
        """Try once to open this worker's connections; those that fail are tried again while the load runs."""
        if self._fresh:
            self._places = self._free_places = share
            return
        attempts = [asyncio.Event() for _ in range(share)]
        for attempt in attempts:
            self.start(self._keep_connected(attempt))
        for attempt in attempts:
            await attempt.wait()

    async def run(self, arrivals: Arrivals | None, start: int, until: int) -> None:
        """Send what is due from `start` to `until`, and wait for the replies; without arrivals the loop is closed.

        Both are nanoseconds of `perf_counter_ns`.
        """
        self._arrivals = arrivals
        self._until = until
        self.start(self._sweep())
        self._timer.set(arrivals.due if arrivals else start)
        await self._ended.wait()

    async def close(self) -> None:
        """Send nothing more, and close every connection; exchanges under way have no outcome."""
        self._closing = True
        self._until = 0
        self._queue.clear()
        for task in self._tasks:
            task.cancel()
        self._timer.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for flow in self._flows:
            if flow.verifier.surplus_bytes:  # after the last reply: no exchange was left to fail
                self._tally.lost(Outcome.EXTRA)
        await asyncio.gather(*(flow.leave() for flow in self._flows))

    def _send_due(self) -> None:
        arrivals = self._arrivals
        if arrivals is None:
            self._begin_closed()
            return
        now = perf_counter_ns()
        for _ in range(MOST_AT_ONCE):  # then replies and time-outs have their turn, even if this falls behind
            due = arrivals.due
            if due >= self._until:
                return
            if due > now:
                break
            self._tally.due(due, perf_counter_ns())
            self._arrive(due)
            arrivals.advance()
        self._timer.set(max(arrivals.due, now + BATCH_NANOSECONDS))

    def _arrive(self, due: int) -> None:
        while self._free:
            flow = self._free.popleft()
            if flow.lost_by is None:
                self._send(flow, due)
                return
        if self._free_places:
            self._free_places -= 1
            self.start(self._exchange_fresh(due))
        else:
            self._queue.append(due)

    def _begin_closed(self) -> None:
        free, self._free = self._free, deque()
        for flow in free:
            self._next(flow)
        places, self._free_places = self._free_places, 0
        for _ in range(places):
            self.start(self._exchange_fresh(self._due_now()))

    def _due_now(self) -> int:
        """Return when the next exchange was due: the first that waits, or in a closed loop now; 0 if there is none."""
        if self._queue:
            return self._queue.popleft()
        now = perf_counter_ns()
        if self._arrivals is None and now < self._until:
            self._tally.due(now, now)
            return now
        return 0

    def _next(self, flow: Flow) -> None:
        """Send one message on a flow that may carry another."""
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
        flow.post(message, reply, due)

    def _send_in_turn(self) -> None:
        """Send on every flow that was answered, together: this wakes a sleeping server once, not once for each."""
        answered, self._answered = self._answered, []
        for flow in answered:
            self._next(flow)

    def _replied(self, flow: Flow) -> None:
        """Let a flow carry its next exchange; the hot path."""
        if self._fresh:
            flow.wake()
            return
        if not self._answered:
            asyncio.get_running_loop().call_soon(self._send_in_turn)
        self._answered.append(flow)

    def _judge(self, flow: Flow, verdicts: list[Verdict]) -> None:
        """Count the verdicts on a flow's oldest exchanges, and the loss of its connection if it is lost."""
        if self._closing:
            return
        pending, tally = flow.pending, self._tally
        extra = False
        for verdict in verdicts:
            due, sent, size, alone = pending.popleft()
            if verdict.outcome is Outcome.OK:
                flow.good = True
                first_byte = flow.first_byte_at if alone and not pending else 0
                tally.good(due, sent, first_byte, flow.answered_at, size, flow.place)
            else:
                extra = extra or verdict.outcome is Outcome.EXTRA
                self._fail(due, verdict.outcome, verdict.phase, flow, **explained(verdict))
        if flow.lost_by is not None:
            tally.lost(flow.lost_by)
        elif extra:  # it is unknown which message the next bytes answer
            self.start(flow.abandon(Outcome.EXTRA))
        else:
            for _ in verdicts:
                self._replied(flow)

    def _fail(self, due: int, outcome: Outcome, phase: Phase, flow: Flow | None = None, **facts: Any) -> None:
        self._tally.failed(due, outcome, flow.place if flow else None)
        self._failures[outcome] += 1
        if self._failures[outcome] <= LOGGED_OF_EACH:
            connection = {"connection": flow.number} if flow else {}
            self._log.warning("exchange.failed", outcome=outcome, phase=phase, **connection, **facts)

    async def _connect(self) -> Flow:
        return await self._connector.connect(
            lambda number: Flow(self._tally, number, self._flows, self._replied, self._judge)
        )

    async def _keep_connected(self, attempt: asyncio.Event) -> None:
        """Keep one connection in use, and replace it when it is lost; set `attempt` after the first try."""
        failures = 0
        while True:
            failures += 1
            try:
                async with self._connecting:
                    flow = await self._connect()
            except ExchangeError as error:
                if due := self._due_now():
                    self._fail(due, error.outcome, error.phase, detail=error.detail)
                attempt.set()
            else:
                for _ in range(self._options.pipeline):
                    self._next(flow)
                attempt.set()
                await flow.wait_closed()
                if flow.good:
                    failures = 0
            await asyncio.sleep(back_off_seconds(failures, BACKOFF_MOST_SECONDS))

    async def _exchange_fresh(self, due: int) -> None:
        """Exchange over a connection of its own, and continue with what is due by then."""
        failures = 0
        while due:
            try:
                flow = await self._connect()
            except ExchangeError as error:
                self._fail(due, error.outcome, error.phase, detail=error.detail)
                failures += 1
                await asyncio.sleep(back_off_seconds(failures, BACKOFF_MOST_SECONDS))
            else:
                failures = 0
                await self._exchange_over(flow, due)
            due = self._due_now()
        self._free_places += 1

    async def _exchange_over(self, flow: Flow, due: int) -> None:
        if flow.lost_by is not None:
            self._fail(due, flow.lost_by, Phase.FIRST_BYTE, flow)
            return
        self._send(flow, due)
        while flow.pending:
            await flow.news()
        if flow.lost_by is None:
            await flow.leave()

    async def _sweep(self) -> None:
        """Give up exchanges that exceed the time-out, and notice the end."""
        timeout = int(self._options.timeout_seconds * NANOSECONDS)
        while True:
            await asyncio.sleep(min(self._options.timeout_seconds / SWEEPS_PER_TIMEOUT, SWEEP_MOST_SECONDS))
            now = perf_counter_ns()
            for flow in list(self._flows):
                if flow.pending and now - flow.pending[0][1] > timeout:
                    self.start(flow.abandon(Outcome.TIMEOUT))
            while self._queue and now - self._queue[0] > timeout:
                self._fail(self._queue.popleft(), Outcome.TIMEOUT, Phase.CONNECT, detail="no connection became free")
            if now >= self._until and not self._unfinished():
                self._ended.set()

    def _unfinished(self) -> bool:
        still_due = self._arrivals is not None and self._arrivals.due < self._until
        exchanging = self._free_places < self._places or any(flow.pending for flow in self._flows)
        return still_due or bool(self._queue) or exchanging

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Do this until it ends or the generator is closed."""
        task = self._group.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _callback_failed(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Fail with a callback that fails, except by an error that a peer can cause."""
        error = context.get("exception")
        if not isinstance(error, MemoryError):  # which the worker reports as it ends
            self._log.error("worker.exception", message=context.get("message"), exc_info=error)
        if isinstance(error, OSError | ExchangeError) or self._failed.done():
            return
        if isinstance(error, Exception):
            self._failed.set_exception(error)

    async def _wait_for_failure(self) -> None:
        await self._failed
