"""TLS, from the first byte of the handshake on."""

import asyncio
import ssl
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stentor_server.metrics import CloseReason
from unit.looping import Events, Loop
from unit.server.authority import Authority
from unit.server.serving import Serving, numbered
from unit.server.tls_peer import TlsPeer

NewServing = Callable[..., Serving]
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.fixture
def mutual(authority: Authority, tls: dict[str, Any]) -> dict[str, Any]:
    """Options of a server that wants a certificate as well."""
    return tls | {"tls_client_ca": authority.ca}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("size", [1, 16 * 1024 + 1, 3_000_000])
async def test_answers_in_upper_case(
    serving: NewServing, tls: dict[str, Any], authority: Authority, version: ssl.TLSVersion, size: int
) -> None:
    """Whatever its size, a message comes back in upper case, and every byte of it is counted, and no other."""
    message = (bytes(range(256)) * (size // 256 + 1))[:size]
    async with serving(**tls) as server:
        caller = await server.call_tls(authority.client(version))
        assert message.upper() == await caller.ask(message)
        assert (size, size, 0, 0) == (server.received, server.sent, server.unsent, server.waiting)
        assert server.at_rest()


@pytest.mark.parametrize(("version", "shown"), [(VERSIONS[0], "TLSv1.2"), (VERSIONS[1], "TLSv1.3")])
async def test_log_names_the_version(
    serving: NewServing, tls: dict[str, Any], authority: Authority, events: Events, version: Any, shown: str
) -> None:
    """The log says which version was spoken, and counts what was in it."""
    async with serving(**tls) as server:
        caller = await server.call_tls(authority.client(version))
        await caller.ask(b"hello")
        await caller.send_close_notify()
        await server.until(lambda: server.closed(CloseReason.EOF) == 1, "the end")
        (closed,) = events.find("connection.closed", tls=shown, received_bytes=5, sent_bytes=5)
        assert not {"error", "proxy"} & set(closed)


async def test_older_versions(serving: NewServing, tls: dict[str, Any], authority: Authority) -> None:
    """Nothing older is spoken."""
    async with serving(**tls) as server:
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            context = authority.client(ssl.TLSVersion.TLSv1_1)
        context.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.raises(ssl.SSLError):
            await server.call_tls(context)
        await server.until(lambda: server.closed(CloseReason.TLS_ERROR) == 1, "the error")


def test_any_segmentation(loop: Loop, serving: NewServing, tls: dict[str, Any], authority: Authority) -> None:
    """However handshake and records are cut, the answer is the upper case of what is in them."""

    async def scenario(messages: list[bytes], cut: int, version: ssl.TLSVersion) -> None:
        async with serving(**tls) as server:
            caller = server.knock_tls(authority.client(version))
            await caller.shake(cut)
            for message in messages:
                await caller.say(message, cut)
            await caller.send_close_notify()
            assert b"".join(messages).upper() == await caller.hear_all()
            assert caller.got_close_notify

    @settings(max_examples=20)
    @given(st.lists(st.binary(min_size=1, max_size=3000), max_size=4), st.integers(20, 2000), st.sampled_from(VERSIONS))
    def law(messages: list[bytes], cut: int, version: ssl.TLSVersion) -> None:
        loop.run(scenario(messages, cut, version))

    law()


async def test_byte_by_byte(serving: NewServing, tls: dict[str, Any], authority: Authority) -> None:
    """A handshake and a record may come byte by byte."""
    async with serving(**tls) as server:
        caller = server.knock_tls(authority.client())
        await caller.shake(1)
        await caller.say(b"slowly", 1)
        assert await caller.hear(6) == b"SLOWLY"


async def test_many_records_at_once(serving: NewServing, tls: dict[str, Any], authority: Authority) -> None:
    """Records that arrive together are all answered, in order."""
    async with serving(**tls) as server:
        caller = await server.call_tls(authority.client())
        words = [b"word %d, " % number for number in range(500)]
        caller.connection.send(b"".join(caller.push(word) for word in words))
        whole = b"".join(words)
        assert whole.upper() == await caller.hear(len(whole))


async def test_many_peers_at_once(serving: NewServing, tls: dict[str, Any], authority: Authority) -> None:
    """Peers that are answered in turn each get their own bytes, with TLS and, on the Unix socket, without."""
    async with serving(**tls) as server:
        callers = [await server.call_tls(authority.client()) for _ in range(5)]
        everybody = [*callers, await server.call("unix")]
        messages = [next(numbered(f"peer {number}", 200_000 + number)) for number in range(6)]
        heard = await asyncio.gather(*(each.ask(text) for each, text in zip(everybody, messages, strict=True)))
        assert [message.upper() for message in messages] == heard


@pytest.mark.parametrize("version", VERSIONS)
async def test_client_certificate(
    serving: NewServing, mutual: dict[str, Any], authority: Authority, version: ssl.TLSVersion
) -> None:
    """A client with a certificate of the authorities is served."""
    async with serving(**mutual) as server:
        caller = await server.call_tls(authority.client(version, "good"))
        assert await caller.ask(b"known") == b"KNOWN"


async def _shake_and_hear(caller: TlsPeer) -> None:
    await caller.shake()
    await caller.hear(1)  # in TLS 1.3 the client takes the handshake for done before the server has judged


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("certificate", "error"),
    [
        ("", "peer did not return a certificate"),
        ("foreign", "certificate verify failed"),
        ("expired", "certificate verify failed"),
    ],
)
async def test_wrong_client_certificate(
    serving: NewServing,
    mutual: dict[str, Any],
    authority: Authority,
    events: Events,
    version: ssl.TLSVersion,
    certificate: str,
    error: str,
) -> None:
    """A client without one of these gets an alert and no answer; the log says why; others are served."""
    async with serving(**mutual) as server:
        caller = server.knock_tls(authority.client(version, certificate))
        with pytest.raises(ssl.SSLError, match=r"(?i)alert"):
            await _shake_and_hear(caller)
        await server.until(lambda: server.closed(CloseReason.TLS_ERROR) == 1, "the error")
        (closed,) = events.find("connection.closed", reason="tls_error", received_bytes=0)
        assert closed["error"] == error
        assert "tls" not in closed
        other = await server.call_tls(authority.client(version, "good"))
        assert await other.ask(b"known") == b"KNOWN"


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (b"GET / HTTP/1.1\r\nHost: here\r\n\r\n", "http request"),
        (b"hello, is anybody there?", ""),
        (bytes(100), ""),
        (b"\x16\x03\x01\xff\xff" + bytes(100), ""),
    ],
)
async def test_something_else(
    serving: NewServing, tls: dict[str, Any], events: Events, said: bytes, error: str
) -> None:
    """What is no handshake is closed as soon as that is plain, counted, and logged in one line without a trace."""
    async with serving(**tls) as server:
        caller = await server.call()
        await caller.say(said)
        assert b"HELLO" not in await caller.hear_all()
        assert (server.closed(CloseReason.TLS_ERROR), server.received) == (1, 0)
        (closed,) = events.find("connection.closed")
        assert closed["error"]
        assert error in closed["error"]


async def test_end_during_the_handshake(
    serving: NewServing, tls: dict[str, Any], authority: Authority, events: Events
) -> None:
    """One that ends in the middle of the handshake is an error of TLS, and the log says so."""
    async with serving(**tls) as server:
        caller = server.knock_tls(authority.client())
        with pytest.raises(ssl.SSLWantReadError):
            caller.tls.do_handshake()
        caller.connection.send(caller._departing.read()[:100])
        caller.end_saying()
        assert await caller.hear_some() == b""
        assert server.closed(CloseReason.TLS_ERROR) == 1
        assert events.find("connection.closed", reason="tls_error", error="it ended during the handshake")


async def test_end_without_a_byte(serving: NewServing, tls: dict[str, Any], events: Events) -> None:
    """One that connects and ends, as checks of ports do, is no error."""
    async with serving(**tls) as server:
        caller = await server.call()
        caller.end_saying()
        assert await caller.hear_all() == b""
        assert server.closed(CloseReason.EOF) == 1
        assert not {"tls", "error"} & set(events.find("connection.closed")[0])


@pytest.mark.parametrize("begun", [False, True])
async def test_handshake(serving: NewServing, tls: dict[str, Any], authority: Authority, *, begun: bool) -> None:
    """Until it is done, the handshake is under way; every part of it that comes is activity."""

    async def scenario() -> None:
        async with serving(**tls) as server:
            caller = server.knock_tls(authority.client())
            await server.until(lambda: server.active == 1, "it to be taken")
            connection = server.connection(caller)
            connection.active_at = 0.0
            if begun:
                with pytest.raises(ssl.SSLWantReadError):
                    caller.tls.do_handshake()
                await caller.flush()
                await caller._take()
                assert connection.active_at == server.server.poller.now
                connection.active_at = 0.0
            assert (connection.handshaking, connection.engaged) == (True, begun)
            await caller.shake()
            await server.until(lambda: not connection.handshaking, "the end of the handshake")
            assert connection.active_at == server.server.poller.now
            assert not connection.engaged


async def test_part_of_a_record(serving: NewServing, tls: dict[str, Any], authority: Authority) -> None:
    """A part of a record is activity, before there is anything in it to answer."""
    async with serving(**tls) as server:
        caller = await server.call_tls(authority.client())
        await caller.ask(b"hello")
        connection = server.connection(caller)
        connection.active_at = 0.0
        record = caller.push(b"a part")
        caller.connection.send(record[:10])
        await server.until(lambda: connection.active_at, "it to be read")
        assert server.received == 5
        caller.connection.send(record[10:])
        assert await caller.hear(6) == b"A PART"


async def test_plain_connections_have_no_handshake(serving: NewServing, tls: dict[str, Any]) -> None:
    """On the Unix socket there is no TLS and no handshake."""
    async with serving(**tls) as server:
        local = await server.call("unix")
        assert not server.connection(local).handshaking
        assert await local.ask(b"plain") == b"PLAIN"
