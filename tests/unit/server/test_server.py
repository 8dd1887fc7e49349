"""Limits and time-outs."""

import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stentor_chassis.board import FIRST_WORKER
from stentor_server import server as server_module
from stentor_server.metrics import DURATION, OPEN, SCHEMA, CloseReason, RejectReason
from stentor_server.server import SWEEP_SECONDS
from unit.looping import Events, Loop
from unit.peer import Peer
from unit.server.serving import Serving, numbered

NewServing = Callable[..., Serving]
BRIEF = 0.1  # seconds that a time-out is set to


def test_refuses_above_the_limit(loop: Loop, serving: NewServing, events: Events) -> None:
    """One connection too many is closed unanswered and counted; those within the limit go on; a place can be reused."""

    async def scenario() -> None:
        async with serving(max_connections=2) as server:
            first, second = await server.call(), await server.call("unix")
            refused = await server.call()
            assert await refused.hear_all() == b""
            assert 1 == server.rejected(RejectReason.MAX_CONNECTIONS) == server.rejected()
            (rejected,) = events.find("connection.rejected")
            assert rejected["reason"] == RejectReason.MAX_CONNECTIONS
            assert (server.accepted, server.active) == (2, 2)
            assert await first.ask(b"still") == b"STILL"
            first.end_saying()
            await server.until(lambda: server.active == 1, "the place to be free")
            third = await server.call()
            assert await third.ask(b"again") == b"AGAIN"
            assert await second.ask(b"too") == b"TOO"

    loop.run(scenario())


def test_refuses_one_that_has_spoken(loop: Loop, serving: NewServing) -> None:
    """What a refused peer has said already is neither read nor counted."""

    async def scenario() -> None:
        async with serving(max_connections=1) as server:
            await server.call()
            hasty = [await server.call(path) for path in ("tcp", "unix")]
            for each in hasty:
                try:
                    await each.say(b"hasty")
                except ConnectionError:
                    continue
                assert await each.hear_all() == b""
            assert (server.rejected(), server.accepted, server.received) == (2, 1, 0)

    loop.run(scenario())


def test_limit_is_shared(loop: Loop, serving: NewServing) -> None:
    """The limit counts the connections of all workers, by their rows."""

    async def scenario() -> None:
        async with serving(max_connections=3) as server:
            other = server.board.row(FIRST_WORKER + 1)
            other[SCHEMA.slot(OPEN)] = 2
            await server.call()
            await server.call()
            assert (server.accepted, server.rejected()) == (1, 1)
            other[SCHEMA.slot(OPEN)] = 1
            await server.call()
            assert (server.accepted, server.rejected()) == (2, 1)

    loop.run(scenario())


@pytest.mark.parametrize("path", ["tcp", "unix"])
def test_idle_timeout(loop: Loop, serving: NewServing, path: str) -> None:
    """A connection that moves no byte is closed after the timeout and not before it; one that does is left alone."""

    async def scenario() -> None:
        async with serving(idle_timeout_seconds=3 * BRIEF) as server:
            busy, silent = await server.call(path), await server.call(path)
            silent_since = time.monotonic()
            while not server.closed(CloseReason.IDLE_TIMEOUT):
                assert await busy.ask(b"busy") == b"BUSY"
                server.check()
            # The clock is as of the last sweep, which is a quarter of the timeout old at most.
            assert time.monotonic() - silent_since > 3 * BRIEF * 0.7
            assert await silent.hear_all() == b""
            assert await busy.ask(b"busy") == b"BUSY"

    loop.run(scenario())


def test_idle_timeout_of_one_that_does_not_read(loop: Loop, serving: NewServing) -> None:
    """A peer that never reads is closed too, and what waited for it is unsent, to the byte."""

    async def scenario() -> None:
        async with serving(idle_timeout_seconds=BRIEF) as server:
            deaf = await server.call("unix")
            await server.stuff(deaf, numbered("deaf"))
            await server.until(lambda: server.closed(CloseReason.IDLE_TIMEOUT) == 1, "the timeout")
            assert server.sent == len(await deaf.hear_all())
            assert server.unsent > 0

    loop.run(scenario())


def test_idle_timeout_of_one_that_has_ended(loop: Loop, serving: NewServing) -> None:
    """A peer that ended its side and does not read its answers is not kept for ever."""

    async def scenario() -> None:
        async with serving(idle_timeout_seconds=BRIEF) as server:
            deaf = await server.call("unix")
            await server.stuff(deaf, numbered("deaf"))
            deaf.end_saying()
            await server.until(lambda: server.active == 0, "the timeout")
            assert server.unsent > 0

    loop.run(scenario())


def test_no_idle_timeout(loop: Loop, serving: NewServing, monkeypatch: pytest.MonkeyPatch) -> None:
    """A timeout of 0 closes nothing, however long the connection is idle."""
    monkeypatch.setattr(server_module, "SWEEP_SECONDS", BRIEF / 10)

    async def scenario() -> None:
        async with serving() as server:
            silent = await server.call()
            (connection,) = server.server.connections
            connection.active_at -= 1e6
            before = server.server.now
            await server.until(lambda: server.server.now > before + SWEEP_SECONDS / 10, "several sweeps")
            assert await silent.ask(b"still") == b"STILL"

    loop.run(scenario())


def test_sweep_looks_at_slow_readers(loop: Loop, serving: NewServing, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a slow reader has read by now is seen without anything else happening on its connection."""
    monkeypatch.setattr(server_module, "SWEEP_SECONDS", BRIEF / 10)

    async def scenario() -> None:
        async with serving() as server:
            slow = await server.call("unix")
            said = await server.stuff(slow, numbered("slow"))
            waiting = server.waiting
            read = 0
            while server.waiting >= waiting:
                read += len(await slow.hear(1 << 14))
                server.check()
            assert read < len(said)

    loop.run(scenario())


def test_forget_counts_durations(loop: Loop, serving: NewServing) -> None:
    """Every connection that ends is one observation of the histogram of durations."""

    async def scenario() -> None:
        async with serving() as server:
            for _ in range(5):
                (await server.call()).end_saying()
            await server.until(lambda: server.closed(CloseReason.EOF) == 5, "all to end")
            assert sum(server.row[SCHEMA.slots(DURATION)][:-1]) == 5

    loop.run(scenario())


class Crowd:
    """Peers that do what an example says; every one that has gone is followed by another."""

    def __init__(self, server: Serving) -> None:
        """Begin without a peer."""
        self._server = server
        self._peers: dict[int, Peer] = {}
        self._said: dict[int, bytes] = {}

    async def act(self, number: int, action: str) -> None:
        """Let a peer do something, if it still can."""
        peer = self._peers.get(number)
        if peer is None:
            peer = self._peers[number] = await self._server.call(["tcp", "unix"][number % 2])
        said = self._said.get(number)  # what it said last, and has not heard the answer to
        if action == "ask" and said is None:
            assert await peer.ask(b"ask") == b"ASK"
        elif action == "stuff" and said is None:
            self._said[number] = await self._server.stuff(peer, numbered(f"peer {number}"))
        elif action == "hear" and said is not None:
            heard = await peer.hear(10_000)
            assert heard == said[: len(heard)].upper()
            self._said[number] = said[len(heard) :]
        elif action == "end":
            peer.end_saying()
            assert await peer.hear_all() == (said or b"").upper()
            self._forget(number)
        elif action == "reset":
            peer.reset()
            self._forget(number)

    def _forget(self, number: int) -> None:
        self._peers.pop(number).connection.close()
        self._said.pop(number, None)


def test_accounts_balance_whatever_peers_do(loop: Loop, serving: NewServing) -> None:
    """After anything that peers do, in any order, every byte and every connection is accounted for."""

    async def scenario(acts: list[tuple[int, str]]) -> None:
        async with serving(drain_timeout_seconds=BRIEF) as server:
            crowd = Crowd(server)
            for number, action in acts:
                await crowd.act(number, action)
                server.check()

    @settings(max_examples=25)
    @given(
        st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["ask", "stuff", "hear", "end", "reset"])), max_size=15)
    )
    def law(acts: list[tuple[int, str]]) -> None:
        loop.run(scenario(acts))

    law()
