"""The accounts of connections over TLS."""

import asyncio
import ssl
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from unit.looping import Loop
from unit.server.authority import Authority
from unit.server.serving import Serving, numbered
from unit.server.tls_peer import TlsPeer

NewServing = Callable[..., Serving]
BRIEF = 0.1  # seconds that a time-out is set to
ACTIONS = ["ask", "stuff", "hear", "notify", "fin", "reset", "part", "garbage", "half a handshake"]


class Crowd:
    """Clients that do what an example says; every one that has gone is followed by another."""

    def __init__(self, server: Serving, context: ssl.SSLContext) -> None:
        """Begin without a client."""
        self._server = server
        self._context = context
        self._peers: dict[int, TlsPeer] = {}
        self._said: dict[int, bytes] = {}

    async def act(self, number: int, action: str) -> None:
        """Let a client do something, if it still can."""
        if action == "half a handshake":
            await self._begin_and_go()
            return
        peer = self._peers.get(number)
        if peer is None:
            peer = self._peers[number] = await self._server.call_tls(self._context)
        said = self._said.get(number)  # what it said last, and has not heard the answer to
        if said is None:
            await self._act_at_rest(number, peer, action)
        elif action == "hear":
            heard = await peer.hear(10_000)
            assert heard == said[: len(heard)].upper()
            self._said[number] = said[len(heard) :]
        elif action in {"notify", "fin"}:
            _, heard = await asyncio.gather(self._end(peer, action), peer.hear_all())
            assert heard == said.upper()
            assert peer.got_close_notify
            self._forget(number)
        elif action == "reset":
            self._reset(number)

    async def _act_at_rest(self, number: int, peer: TlsPeer, action: str) -> None:
        if action == "ask":
            assert await peer.ask(b"ask") == b"ASK"
        elif action == "stuff":
            self._said[number] = await self._server.stuff(peer, numbered(f"peer {number}"))
        elif action in {"notify", "fin"}:
            await self._end(peer, action)
            assert await peer.hear_all() == b""
            assert peer.got_close_notify
            self._forget(number)
        elif action == "reset":
            self._reset(number)
        elif action in {"part", "garbage"}:
            peer.connection.send(peer.push(b"never whole")[:-1] if action == "part" else b"garbage" * 10)
            peer.end_saying()
            while await peer.hear_some():
                pass
            self._forget(number)

    async def _begin_and_go(self) -> None:
        peer = self._server.knock_tls(self._context)
        try:
            peer.tls.do_handshake()
        except ssl.SSLWantReadError:
            await peer.flush(100)
        peer.connection.close()

    async def _end(self, peer: TlsPeer, how: str) -> None:
        await peer.say_rest()
        if how == "notify":
            await peer.send_close_notify()
        peer.end_saying()

    def _reset(self, number: int) -> None:
        self._peers[number].reset()
        self._forget(number)

    def _forget(self, number: int) -> None:
        self._peers.pop(number).connection.close()
        self._said.pop(number, None)


def test_accounts_balance_whatever_clients_do(
    loop: Loop, serving: NewServing, tls: dict[str, Any], authority: Authority
) -> None:
    """After anything that clients do, in any order, every byte and every connection is accounted for."""

    async def scenario(acts: list[tuple[int, str]], context: ssl.SSLContext) -> None:
        async with serving(**tls, drain_timeout_seconds=BRIEF) as server:
            crowd = Crowd(server, context)
            for number, action in acts:
                await crowd.act(number, action)
                server.check()

    @settings(max_examples=25)
    @given(
        st.lists(st.tuples(st.integers(0, 3), st.sampled_from(ACTIONS)), max_size=15),
        st.sampled_from([ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]),
    )
    def law(acts: list[tuple[int, str]], version: ssl.TLSVersion) -> None:
        loop.run(scenario(acts, authority.client(version)))

    law()
