"""Accounts that balance, whatever clients do."""

import asyncio
import ssl
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from certificates import Authority
from unit.peer import Peer
from unit.server.serving import NewServing, RunOnLoop, Serving, numbered
from unit.server.tls_peer import TlsPeer

BRIEF = 0.1  # seconds that a time-out is set to
ACTIONS = ["exchange", "fill", "read", "fin", "reset"]
TLS_ACTIONS = [*ACTIONS, "close_notify", "part", "garbage", "half a handshake"]
TLS_VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
# The client sends close_notify while it has unread answers.
CLOSE_WITH_UNREAD = [(2, "fill"), (2, "read"), (0, "exchange"), (0, "reset"), (0, "exchange"), (2, "close_notify")]


class Crowd:
    """Clients that do what an example says; each that has gone is followed by another."""

    def __init__(self, server: Serving, context: ssl.SSLContext | None) -> None:
        """Speak TLS with a context, plainly without."""
        self._server = server
        self._context = context
        self._peers: dict[int, Peer] = {}
        self._unread: dict[int, bytes] = {}  # what clients sent and have not read the answers to

    async def act(self, number: int, action: str) -> None:
        """Let a client do something, if it still can."""
        if action == "half a handshake":
            await self._begin_and_go()
            return
        peer = self._peers.get(number) or await self._connect(number)
        unread = self._unread.get(number)
        if action == "reset":
            peer.reset()
            self._forget(number)
        elif action in {"fin", "close_notify"}:
            _, reply = await asyncio.gather(self._end(peer, action), peer.receive_all())
            assert reply == (unread or b"").upper()
            assert getattr(peer, "got_close_notify", True)
            self._forget(number)
        elif action == "read" and unread is not None:
            reply = await peer.receive(10_000)
            assert reply == unread[: len(reply)].upper()
            self._unread[number] = unread[len(reply) :]
        elif action == "exchange" and unread is None:
            assert await peer.exchange(b"ask") == b"ASK"
        elif action == "fill" and unread is None:
            self._unread[number] = await self._server.fill(peer, numbered(f"peer {number}"))
        elif action in {"part", "garbage"} and unread is None:
            peer.connection.send(peer.encoded(b"never whole")[:-1] if action == "part" else b"garbage" * 10)
            peer.shut_down_writing()
            while await peer.receive_some():
                pass
            self._forget(number)

    async def _connect(self, number: int) -> Peer:
        if self._context:
            peer: Peer = await self._server.connect_tls(self._context)
        else:
            peer = await self._server.connect(["tcp", "unix"][number % 2])
        self._peers[number] = peer
        return peer

    async def _begin_and_go(self) -> None:
        assert self._context is not None
        peer = self._server.connect_tls_queued(self._context)
        await peer.start_handshake()
        peer.connection.close()

    async def _end(self, peer: Peer, how: str) -> None:
        if isinstance(peer, TlsPeer):
            await peer.send_rest()
            if how == "close_notify":
                await peer.send_close_notify()
        peer.shut_down_writing()

    def _forget(self, number: int) -> None:
        self._peers.pop(number).connection.close()
        self._unread.pop(number, None)


async def _balances(
    serving: NewServing, acts: list[tuple[int, str]], context: ssl.SSLContext | None = None, **options: Any
) -> None:
    async with serving(drain_timeout_seconds=BRIEF, **options) as server:
        crowd = Crowd(server, context)
        for number, action in acts:
            await crowd.act(number, action)
            server.check()


def _acts(actions: list[str]) -> st.SearchStrategy[list[tuple[int, str]]]:
    return st.lists(st.tuples(st.integers(0, 3), st.sampled_from(actions)), max_size=15)


def test_plain(run_on_loop: RunOnLoop, serving: NewServing) -> None:
    """After anything that clients do, in any order, every byte and every connection is accounted for."""

    @settings(max_examples=25)
    @given(_acts(ACTIONS))
    def law(acts: list[tuple[int, str]]) -> None:
        run_on_loop(_balances(serving, acts))

    law()


def test_tls(run_on_loop: RunOnLoop, serving: NewServing, tls: dict[str, Any], authority: Authority) -> None:
    """The same over TLS."""

    @settings(max_examples=25)
    @example(CLOSE_WITH_UNREAD, ssl.TLSVersion.TLSv1_2)
    @given(_acts(TLS_ACTIONS), st.sampled_from(TLS_VERSIONS))
    def law(acts: list[tuple[int, str]], version: ssl.TLSVersion) -> None:
        run_on_loop(_balances(serving, acts, authority.trust(version=version), **tls))

    law()
