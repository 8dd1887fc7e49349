"""One connection over the path, and how its failures are described."""

import socket
from collections.abc import Awaitable, Callable

import pytest

import lying
from lying import Behaviour, LyingServer
from stentor_client.check.call import Call
from stentor_client.verify.outcomes import ExchangeError, Outcome, Phase
from unit.client.check.checking import subject


async def with_call(behaviour: Behaviour, scenario: Callable[[Call], Awaitable[None]], timeout: float = 10.0) -> None:
    """Run a scenario with a call to a server of this behaviour."""
    with LyingServer(behaviour) as server:
        async with subject(server.target, timeout_seconds=timeout).call() as call:
            await scenario(call)


async def failing(behaviour: Behaviour, size: int = 64, timeout: float = 10.0) -> ExchangeError:
    """Return how one exchange fails."""

    async def scenario(call: Call) -> None:
        await call.ask(size)

    with pytest.raises(ExchangeError) as raised:
        await with_call(behaviour, scenario, timeout)
    return raised.value


@pytest.mark.parametrize(("again", "words"), [(1, "sent 1 segment again,"), (5, "sent 5 segments again,")])
async def test_lost_packets(again: int, words: str) -> None:
    """If the kernel had to retransmit, a time-out says so."""

    async def scenario(call: Call) -> None:
        call._account.kernel(0, again)
        await call.ask(64)

    with pytest.raises(ExchangeError) as raised:
        await with_call(lying.stay_silent, scenario, 0.1)
    assert (
        f"no progress for 0.1 s before any byte of the reply; the kernel {words} so packets are lost"
        == raised.value.detail
    )


async def test_stale_reply() -> None:
    """A stale reply is recognised."""

    async def scenario(call: Call) -> None:
        await call.ask(64)
        await call.ask(64)

    with pytest.raises(ExchangeError) as raised:
        await with_call(lying.repeat_the_first, scenario)
    assert raised.value.detail == "the reply belongs to an earlier message (message 1 of connection 1)"


async def test_echo_that_is_expected_is_not_blamed() -> None:
    """If an echo is expected, the message says which byte is wrong, however far from the start."""

    def wrong_at_the_end(connection: socket.socket) -> None:
        reply = b""
        while len(reply) < 5000:
            reply += connection.recv(5000)
        connection.sendall(reply[:-1] + bytes([reply[-1] ^ 1]))

    async def run() -> None:
        with LyingServer(wrong_at_the_end) as server:
            async with subject(server.target, expect="echo").call() as call:
                await call.ask(5000)

    with pytest.raises(ExchangeError, match="at byte 4999 of the reply"):
        await run()


@pytest.mark.parametrize(
    ("behaviour", "outcome", "words"),
    [
        (lying.stay_silent, Outcome.TIMEOUT, "no progress for 0.2 s: the peer does not end its side"),
        (lying.reset, Outcome.RESET, "the connection was cut"),
        (lambda connection: connection.sendall(b"bye"), Outcome.EXTRA, "got surplus 'bye'"),
    ],
)
async def test_wrong_end(behaviour: Behaviour, outcome: Outcome, words: str) -> None:
    """It is an error if the end does not come, is not in order, or comes after surplus bytes."""

    async def scenario(call: Call) -> None:
        call.connection.end_sending()
        await call.ended()

    with pytest.raises(ExchangeError, match=words) as raised:
        await with_call(behaviour, scenario, 0.2 if outcome is Outcome.TIMEOUT else 10.0)
    assert (raised.value.outcome, raised.value.phase) == (outcome, Phase.CLOSE)


async def test_flood_in_silence() -> None:
    """A peer that sends what nobody asked for ends the silence."""
    with pytest.raises(ExchangeError, match=r"^extra: at byte 0 of the reply, got surplus 'A{16}'"):
        await with_call(lying.Flooding(answer=False), lambda call: call.silent(60))
