"""One connection under load."""

import asyncio
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certificates import Authority
from lying import LyingServer, stay_silent
from stentor_client.load import flow as flow_module
from stentor_client.load.flow import Flow
from stentor_client.load.metrics import MEASURED, SCHEMA
from stentor_client.load.tally import Tally
from stentor_client.verify.message import MessageSource
from stentor_client.verify.outcomes import Outcome
from stentor_client.verify.verifier import EXPECTATIONS, Verdict, Verifier
from stentor_client.wire.dialer import Dialer
from unit.client.loads import OPTIONS


class Calls:
    """Notes the calls of a flow."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.outcomes: list[Outcome] = []
        self.flows: set[Flow] = set()

    def flow(self, tally: Tally) -> Flow:
        """Return a flow that makes these calls."""
        return Flow(tally, 7, self.flows, self.replied, self.judged)

    def replied(self, _flow: Flow) -> None:
        """Note the right reply to the only exchange under way."""
        self.outcomes.append(Outcome.OK)

    def judged(self, _flow: Flow, verdicts: list[Verdict]) -> None:
        """Note verdicts."""
        self.outcomes += [verdict.outcome for verdict in verdicts]


async def test_leaving_is_no_loss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that does not end TLS as well is left soon, and has not lost the connection."""
    monkeypatch.setattr(flow_module, "CLOSE_SECONDS", 0.05)
    authority, calls = Authority(tmp_path), Calls()
    with LyingServer(stay_silent, authority.serve(authority.issue("server"))) as server:
        dial = replace(OPTIONS.dial, target=server.target, tls=True, tls_ca=authority.file)
        flow, _ = await Dialer(dial).dial(lambda: calls.flow(Tally([0] * SCHEMA.row_slots)))
        await flow.leave()
        assert (calls.flows, calls.outcomes, flow.lost_by) == (set(), [], None)


class Transport:
    """A transport that accepts all that is written."""

    def set_write_buffer_limits(self, **_: int) -> None:
        """Ignore the limits."""

    def write(self, data: bytes) -> None:
        """Accept it."""

    def is_closing(self) -> bool:
        """Return that it is open."""
        return False

    def get_write_buffer_size(self) -> int:
        """Return that nothing waits."""
        return 0


@given(
    size=st.integers(1, 20) | st.integers(4090, 4110),
    wrong_at=st.none() | st.integers(0, 4109),
    surplus=st.binary(max_size=3),
    cuts=st.sets(st.integers(1, 4112), max_size=3),
)
def test_judges_as_the_verifier(size: int, wrong_at: int | None, surplus: bytes, cuts: set[int]) -> None:
    """Replies of one part or several, right or wrong, whole or in pieces, get the verifier's verdicts."""

    async def judge() -> None:
        calls, tally, verifier = Calls(), Tally([0] * SCHEMA.row_slots), Verifier()
        tally.measured_from = 0
        flow = calls.flow(tally)
        flow.connection_made(Transport())  # type: ignore[arg-type] # the part of one that a flow uses
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
        assert calls.outcomes == expected
        assert (tally.sent_bytes, tally.received_bytes) == (size, len(arrives))
        if not flow.pending:  # judged here, and not by the verifier
            assert (tally.row[SCHEMA.slot(MEASURED, Outcome.OK)], flow.good) == (1, True)

    asyncio.run(judge())
