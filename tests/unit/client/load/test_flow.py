"""One connection under load."""

from typing import Any

from lying import LyingServer, flip
from stentor_client.load.flow import Flow
from stentor_client.outcomes import Outcome
from unit.client.load.loading import Loading
from unit.looping import Events, Loop, eventually


class Listener:
    """Notes what a flow tells its generator."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.outcomes: list[Outcome] = []
        self.gone_flows: list[Flow] = []

    def answered(self, _flow: Flow, verdicts: list[Any]) -> None:
        """Note verdicts."""
        self.outcomes += [verdict.outcome for verdict in verdicts]

    def gone(self, flow: Flow) -> None:
        """Note an end."""
        self.gone_flows.append(flow)


def test_tells_the_generator(loop: Loop, events: Events) -> None:
    """Verdicts go to the generator as they come, and so does the end; nobody has to wait for them."""

    async def scenario(target: str) -> None:
        own, listener = Loading(target, events), Listener()
        flow, _ = await own.dialer.dial(lambda: Flow(own.tally, listener, 7))  # type: ignore[arg-type]
        flow.write(b"hello", [(b"HELLO", 0, 5)])
        await eventually(lambda: listener.outcomes, "the verdict")
        assert listener.outcomes == [Outcome.MISMATCH]
        await flow.abandon(Outcome.MISMATCH)
        assert listener.gone_flows == [flow]
        await own.generator.close()

    with LyingServer(flip) as server:
        loop.run(scenario(server.target))
