"""Who is let in, when they are looked at, and what becomes of a bug."""

import errno
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stentor_chassis.counters.shared_counters import FIRST_WORKER
from stentor_server.guard import admission as admission_module
from stentor_server.guard.timeouts import Timeouts
from stentor_server.metrics import DURATION, OPEN, SCHEMA, CloseReason, RejectReason
from stentor_server.path.connection import Connection
from stentor_server.server import Server
from unit.looping import Events, Loop
from unit.peer import Peer
from unit.server.serving import Serving, numbered

NewServing = Callable[..., Serving]
BRIEF = 0.1  # seconds that a time-out is set to


async def test_refuses_above_the_limit(serving: NewServing, events: Events) -> None:
    """One connection too many is closed unanswered and counted; those within the limit go on; a place can be reused."""
    async with serving(max_connections=2) as server:
        first, second = await server.call(), await server.call("unix")
        refused = await server.call()
        assert await refused.hear_all() == b""
        assert 1 == server.rejected(RejectReason.MAX_CONNECTIONS) == server.rejected()
        host, port = refused.connection.getsockname()
        (rejected,) = events.find("connection.rejected")
        assert (rejected["peer"], rejected["reason"]) == (f"{host}:{port}", "max_connections")
        assert rejected["log_level"] == "warning"
        assert (server.accepted, server.active) == (2, 2)
        assert await first.ask(b"still") == b"STILL"
        first.end_saying()
        await server.until(lambda: server.active == 1, "the place to be free")
        third = await server.call()
        assert await third.ask(b"again") == b"AGAIN"
        assert await second.ask(b"too") == b"TOO"


async def test_refuses_one_that_has_spoken(serving: NewServing) -> None:
    """What a refused peer has said already is neither read nor counted."""
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


async def test_limit_is_shared(serving: NewServing) -> None:
    """The limit counts the connections of all workers, by their rows."""
    async with serving(max_connections=3) as server:
        other = server.counters.row(FIRST_WORKER + 1)
        other[SCHEMA.slot(OPEN)] = 2
        await server.call()
        await server.call()
        assert (server.accepted, server.rejected()) == (1, 1)
        other[SCHEMA.slot(OPEN)] = 1
        await server.call()
        assert (server.accepted, server.rejected()) == (2, 1)


async def test_room_of_a_worker(serving: NewServing, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker takes no more than its own descriptors have room for, whatever the limit of all."""
    monkeypatch.setattr(admission_module, "room", lambda: 2)
    async with serving() as server:
        for path in ("tcp", "unix"):
            await server.call(path)
        await server.call()
        assert (server.accepted, server.rejected(RejectReason.MAX_CONNECTIONS)) == (2, 1)
        await server.call("unix")
        assert (server.accepted, server.rejected(RejectReason.MAX_CONNECTIONS)) == (2, 2)


async def test_allowed_networks(serving: NewServing, events: Events) -> None:
    """Who is not in the allowed networks is refused; the Unix socket is open to who may open its file."""
    async with serving(allow=("127.0.0.2/32",)) as server:
        refused = await server.call()
        assert await refused.hear_all() == b""
        assert 1 == server.rejected(RejectReason.NOT_ALLOWED) == server.rejected()
        assert events.find("connection.rejected", reason="not_allowed")
        for caller in (await server.call(source="127.0.0.2"), await server.call("unix")):
            assert await caller.ask(b"in") == b"IN"


async def test_limit_per_address(serving: NewServing, events: Events) -> None:
    """An address gets no more than its own share; others, and the Unix socket, are not affected; a place is reused."""
    async with serving(max_connections_per_address=2) as server:
        first, _ = await server.call(), await server.call()
        refused = await server.call()
        assert await refused.hear_all() == b""
        assert 1 == server.rejected(RejectReason.PER_ADDRESS) == server.rejected()
        assert events.find("connection.rejected", reason="per_address")
        others = [await server.call(source="127.0.0.2"), await server.call("unix")]
        assert server.counts is not None
        assert (server.counts["127.0.0.1"], server.counts["127.0.0.2"]) == (2, 1)
        first.end_saying()
        await server.until(lambda: server.active == 3, "the place to be free")
        for caller in (*others, await server.call()):
            assert await caller.ask(b"in") == b"IN"
        assert server.rejected() == 1


async def test_share_counts_all_workers(serving: NewServing) -> None:
    """Of an address, the connections of the other workers count as well."""
    async with serving(max_connections_per_address=2) as server:
        assert server.counts is not None
        server.counts.add("127.0.0.1")  # in another row
        await server.call()
        await server.call()
        assert (server.accepted, server.rejected(RejectReason.PER_ADDRESS)) == (1, 1)
        server.counts.remove("127.0.0.1")


async def test_sweeps(serving: NewServing) -> None:
    """Every connection is looked at now and then: who moves no byte is closed, and who does is left alone."""
    async with serving(idle_timeout_seconds=3 * BRIEF) as server:
        busy, silent, deaf = await server.call(), await server.call("unix"), await server.call()
        await server.stuff(deaf, numbered("deaf"))
        while server.closed(CloseReason.IDLE_TIMEOUT) < 2:
            assert await busy.ask(b"busy") == b"BUSY"
            server.check()
        assert await silent.hear_all() == b""
        await deaf.hear_all()
        assert deaf.was_reset
        assert await busy.ask(b"busy") == b"BUSY"
        assert server.unsent > 0


async def test_sweep_sets_the_clock(serving: NewServing) -> None:
    """Where nothing happens, the clock of all time-outs goes on all the same."""
    async with serving(max_age_seconds=BRIEF) as server:
        before = server.server.poller.now
        await server.until(lambda: server.server.poller.now > before, "the clock to go on")


async def test_max_age(serving: NewServing, events: Events) -> None:
    """A connection that has lasted too long gets an orderly end, with all its answers."""
    async with serving(max_age_seconds=60.0, half_close_timeout_seconds=BRIEF) as server:  # looks often
        caller = await server.call()
        assert await caller.ask(b"old") == b"OLD"
        server.connection(caller).opened_at -= 61
        assert await caller.hear_all() == b""
        assert not caller.was_reset
        caller.end_saying()
        await server.until(lambda: server.closed(CloseReason.MAX_AGE) == 1, "the end to be counted")


async def test_max_age_of_one_that_stays(serving: NewServing) -> None:
    """A peer that does not end its side after that is not waited for."""
    async with serving(max_age_seconds=BRIEF) as server:
        await server.call()
        await server.until(lambda: server.closed(CloseReason.MAX_AGE) == 1, "the end to be counted")


async def test_bug(serving: NewServing, events: Events, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a connection raises is logged, and costs that connection alone."""
    ready = Connection.ready
    async with serving() as server:
        unlucky, lucky = await server.call(), await server.call()
        cursed = server.connection(unlucky)

        def break_down(connection: Connection, events: int) -> None:
            if connection is cursed:
                raise ZeroDivisionError
            ready(connection, events)

        monkeypatch.setattr(Connection, "ready", break_down)
        await unlucky.say(b"boom")
        assert await unlucky.hear_all() == b""
        assert unlucky.was_reset
        assert await lucky.ask(b"fine") == b"FINE"
        server.bugs = 1
        (bug,) = events.find("worker.exception", log_level="error")
        assert isinstance(bug["exc_info"], ZeroDivisionError)
        assert server.closed(CloseReason.RESET) == 1


NO_ROOM = OSError(errno.ENOSPC, "No room")


@pytest.mark.parametrize(
    ("path", "method", "error"),
    [
        ("tcp", "path.poller.Poller.watch", NO_ROOM),
        ("unix", "path.poller.Poller.watch", NO_ROOM),
        ("tcp", "guard.admission.Admission.enter", ValueError("no place")),
        ("tcp", "guard.admission.Admission.refusal_of", ValueError("no address")),
        ("unix", "path.connection.Connection.__init__", ZeroDivisionError("a bug")),
    ],
)
async def test_cannot_be_taken(
    serving: NewServing, events: Events, monkeypatch: pytest.MonkeyPatch, path: str, method: str, error: Any
) -> None:
    """One that cannot be taken is closed, logged and counted as refused; nothing is left of it, and others come in."""

    def fail(*_: object) -> None:
        raise error

    async with serving(max_connections_per_address=5) as server:
        served = await server.call(path)
        with monkeypatch.context() as patch:
            patch.setattr(f"stentor_server.{method}", fail)
            unlucky = await server.call(path)
        assert await unlucky.hear_all() == b""  # its descriptor is closed
        assert 1 == server.rejected(RejectReason.SERVER_ERROR) == server.rejected()
        assert events.find("connection.rejected", reason="server_error", error=str(error))
        server.bugs = 0 if isinstance(error, OSError) else 1
        for caller in (served, await server.call(path)):
            assert await caller.ask(b"in") == b"IN"


async def test_sweeps_go_on(serving: NewServing, events: Events, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a look at one connection raises, that is logged, and costs that connection alone."""
    enforce = Timeouts.enforce
    async with serving(idle_timeout_seconds=BRIEF) as server:
        callers = [await server.call() for _ in range(5)]
        cursed = server.connection(callers[2])

        def break_down(timeouts: Timeouts, connection: Connection, now: float) -> None:
            if connection is cursed:
                raise ZeroDivisionError
            enforce(timeouts, connection, now)

        monkeypatch.setattr(Timeouts, "enforce", break_down)
        await server.until(lambda: server.active == 0, "all to be closed")
        assert (server.closed(CloseReason.IDLE_TIMEOUT), server.closed(CloseReason.RESET)) == (4, 1)
        server.bugs = 1


async def test_a_sweep_that_fails_is_not_the_last(serving: NewServing, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes wrong in a sweep, there is another."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    async with serving(idle_timeout_seconds=BRIEF) as server:
        await server.call()
        with monkeypatch.context() as patch:
            patch.setattr(Timeouts, "enforce", fail)
            patch.setattr(Server, "_failed", fail)
            with pytest.raises(ZeroDivisionError):
                server.server._sweep()
        await server.until(lambda: server.closed(CloseReason.IDLE_TIMEOUT) == 1, "the next to be made")


async def test_forget_counts_durations(serving: NewServing) -> None:
    """Every connection that ends is one observation of the histogram of durations."""
    async with serving() as server:
        for _ in range(5):
            (await server.call()).end_saying()
        await server.until(lambda: server.closed(CloseReason.EOF) == 5, "all to end")
        assert sum(server.row[SCHEMA.slots(DURATION)][:-1]) == 5


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
