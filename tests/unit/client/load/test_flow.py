"""One connection under load."""

import asyncio
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lying import LyingServer, flip, reset
from stentor_client.load.flow import Flow
from stentor_client.load.metrics import SCHEMA
from stentor_client.load.tally import Tally
from stentor_client.verify.message import MessageSource
from stentor_client.verify.outcomes import Outcome
from stentor_client.verify.verifier import EXPECTATIONS, Verifier
from unit.client.load.loading import Loading
from unit.looping import Events, eventually


class Listener:
    """Notes what a flow tells its generator."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.outcomes: list[Outcome] = []
        self.flows: list[Flow] = []

    def answered_right(self, flow: Flow) -> None:
        """Note the right reply to the only exchange under way."""
        flow.pending.pop()
        self.outcomes.append(Outcome.OK)

    def answered(self, _flow: Flow, verdicts: list[Any]) -> None:
        """Note verdicts."""
        self.outcomes += [verdict.outcome for verdict in verdicts]

    def came(self, flow: Flow) -> None:
        """Note a beginning."""
        self.flows.append(flow)

    def gone(self, flow: Flow) -> None:
        """Note an end."""
        self.flows.remove(flow)


async def test_tells_the_generator(events: Events) -> None:
    """Verdicts go to the generator as they come, and so does the end; nobody has to wait for them."""

    async def scenario(target: str) -> None:
        own, listener = Loading(target, events), Listener()
        flow, _ = await own.dialer.dial(lambda: Flow(own.tally, listener, 7))  # type: ignore[arg-type]
        flow.write(b"hello", [(b"HELLO", 0, 5)])
        await eventually(lambda: listener.outcomes, "the verdict")
        assert (listener.outcomes, listener.flows) == ([Outcome.MISMATCH], [flow])
        await flow.abandon(Outcome.MISMATCH)
        assert listener.flows == []
        await own.generator.close()

    with LyingServer(flip) as server:
        await scenario(server.target)


async def test_reset_before_the_reply(events: Events) -> None:
    """What was sent is counted, also where a reset comes in place of the reply that would have told."""

    async def scenario(target: str) -> None:
        own, listener = Loading(target, events), Listener()
        flow, _ = await own.dialer.dial(lambda: Flow(own.tally, listener, 7))  # type: ignore[arg-type]
        flow.post(b"hello", [(b"HELLO", 0, 5)], 1)
        await flow.wait_closed()
        assert (listener.outcomes, own.tally.sent_bytes) == ([Outcome.RESET], 5)
        await own.generator.close()

    with LyingServer(reset) as server:
        await scenario(server.target)


class Taking:
    """A transport that takes all that is written."""

    def set_write_buffer_limits(self, **_: int) -> None:
        """Do as if."""

    def write(self, data: bytes) -> None:
        """Take it."""

    def is_closing(self) -> bool:
        """Never."""
        return False

    def get_write_buffer_size(self) -> int:
        """Nothing waits."""
        return 0


@given(
    size=st.integers(1, 20) | st.integers(4090, 4110),
    wrong_at=st.none() | st.integers(0, 4109),
    surplus=st.binary(max_size=3),
    cuts=st.sets(st.integers(1, 4112), max_size=3),
)
def test_short_way_judges_as_the_verifier(size: int, wrong_at: int | None, surplus: bytes, cuts: set[int]) -> None:
    """A reply of one part or of several, right or wrong, whole or in pieces, is judged as the verifier does."""

    async def judge() -> None:
        listener, tally, verifier = Listener(), Tally([0] * SCHEMA.row_slots), Verifier()
        flow = Flow(tally, listener, 1)  # type: ignore[arg-type]
        flow.connection_made(Taking())  # type: ignore[arg-type]
        message, reply = MessageSource(size, EXPECTATIONS["upper"]).build(1, 1, size)
        arrives = bytearray(message.upper() + surplus)
        if wrong_at is not None:
            arrives[wrong_at % size] ^= 1
        flow.post(message, reply, 1)
        verifier.expect(reply)
        expected: list[Outcome] = []
        edges = sorted({0, len(arrives), *(cut for cut in cuts if cut < len(arrives))})
        for begin, end in pairwise(edges):
            flow.get_buffer(-1)[: end - begin] = arrives[begin:end]
            flow.buffer_updated(end - begin)
            expected += [verdict.outcome for verdict in verifier.feed(bytes(arrives[begin:end]))]
        assert listener.outcomes == expected
        assert (tally.sent_bytes, tally.received_bytes) == (size, len(arrives))

    asyncio.run(judge())
