"""One connection on the path under test, and the exchanges on it."""

import asyncio
from collections.abc import Iterable, Sequence

from stentor_chassis.counters.histogram import NANOSECONDS
from stentor_client.account import Account
from stentor_client.metrics import RETRANSMITS, SCHEMA
from stentor_client.output.wording import counted
from stentor_client.verify.explanation import explain
from stentor_client.verify.message import HEADER, MessageSource
from stentor_client.verify.outcomes import ExchangeError, Outcome, Phase
from stentor_client.verify.verifier import ReplyPart, Verdict
from stentor_client.wire.connection import Connection
from stentor_client.wire.dial_record import Endpoint
from stentor_client.wire.dialer import Dialer
from stentor_client.wire.stall_watcher import StallWatcher

PIECE_BYTES = 64 * 1024  # large messages are sent in pieces, so that a stall is noticed
HEAD_BYTES = 1024


class Call:
    """Sends messages one after the other; raises `ExchangeError` for a bad reply."""

    def __init__(self, messages: MessageSource, number: int, timeout_seconds: float) -> None:
        """Send `messages` as connection `number`, whose replies may stall for `timeout_seconds`."""
        self.head = bytearray()  # the start of what arrived since the last good reply
        self._account = Account()
        self._messages = messages
        self._number = number
        self._timeout = timeout_seconds
        self._sequence = 0
        self._message = b""
        self._wanted = 0  # bytes, until reading pauses again; 0 for no end

    async def connect(self, dialer: Dialer, endpoint: Endpoint | None) -> None:
        """Connect to `endpoint`, or to the first of the target's that accepts; raise `DialError`."""
        connect = dialer.dial(lambda: Connection(self._account, self._arrived), endpoint)
        self.connection, self.record = await connect
        self._watcher = StallWatcher(self.connection, self._account, self._timeout)

    def build(self, size: int) -> tuple[bytes, tuple[ReplyPart, ...]]:
        """Return the next message, of `size` bytes, and its reply."""
        self._sequence += 1
        return self._messages.build(self._number, self._sequence, size)

    async def ask(self, size: int) -> None:
        """Send a message of `size` bytes and wait for the whole reply."""
        message, reply = self.build(size)
        await self.exchange(reply, pieces(message))

    async def exchange(self, reply: Sequence[ReplyPart], parts: Iterable[bytes]) -> None:
        """Send a message in these parts, each in its own write, and wait for the reply."""
        await self.send(reply, parts)
        await self.answered()

    async def send(self, reply: Sequence[ReplyPart], parts: Iterable[bytes]) -> None:
        """Send a message in these parts; without a `reply` they continue the previous message."""
        if reply:
            self._message = b""
        await self._watcher.during(self._send(reply, parts))

    async def answered(self) -> None:
        """Wait for the whole reply."""
        verdict = await self._watcher.during(self.connection.verdict())
        if verdict.outcome is not Outcome.OK:
            await self.connection.abandon(verdict.outcome)  # also notes retransmissions
            raise ExchangeError(verdict.outcome, verdict.phase, self._words(verdict))
        self.head.clear()

    async def begun(self) -> bool:
        """Wait for the first byte of the reply, up to the time-out; return whether it arrived."""
        try:
            async with asyncio.timeout(self._timeout):
                while not self.head and self.connection.lost_by is None:
                    await self.connection.news()
        except TimeoutError:
            return False
        return bool(self.head)

    async def ended(self) -> None:
        """Wait for the peer to end the connection, in order and without another byte."""
        verdict = await self._watcher.during(self.connection.orderly_end())
        if verdict.outcome is not Outcome.OK:
            raise ExchangeError(verdict.outcome, Phase.CLOSE, explain(verdict, self._timeout))

    async def silent(self, seconds: float) -> None:
        """Be silent for this long; raise if the connection ends meanwhile."""
        try:
            async with asyncio.timeout(seconds):
                outcome = await self.connection.end()
        except TimeoutError:
            return
        words = f"the connection ended after {self.silence:.1f} s of silence"
        if outcome is Outcome.EXTRA:  # this side ended it
            words = explain(self.connection.verifier.failed or Verdict(outcome, 0), self._timeout)
        raise ExchangeError(outcome, Phase.CLOSE, words)

    @property
    def silence(self) -> float:
        """How long nothing has arrived, in seconds; of a connection that ended, how long before its end."""
        return self.connection.idle / NANOSECONDS

    @property
    def received_bytes(self) -> int:
        """How many bytes have arrived."""
        return self._account.received_bytes

    async def read(self, nbytes: int) -> None:
        """Read about `nbytes` more, or to the end, and then nothing until the next call."""
        self._wanted = nbytes
        self.connection.resume_reading()
        await self._watcher.during(self._read())

    async def _read(self) -> None:
        while self._wanted > 0 and self.connection.lost_by is None:
            await self.connection.news()

    def _arrived(self, data: memoryview) -> None:
        self.head.extend(data[: HEAD_BYTES - len(self.head)])
        if self._wanted > 0:
            self._wanted -= len(data)
            if self._wanted <= 0:
                self.connection.pause_reading()

    async def _send(self, reply: Sequence[ReplyPart], parts: Iterable[bytes]) -> None:
        for part in parts:
            self._message += part[: HEAD_BYTES - len(self._message)]
            await self.connection.send(part, reply)
            reply = ()  # the first part announced all of it
            await asyncio.sleep(0)

    def _words(self, verdict: Verdict) -> str:
        words = explain(verdict, self._timeout)
        if verdict.outcome is Outcome.MISMATCH:
            return self._words_of_mismatch(verdict.offset or 0) or words
        again = self._account.row[SCHEMA.slot(RETRANSMITS)]
        if verdict.outcome is Outcome.TIMEOUT and again:
            words += f"; the kernel sent {counted(again, 'segment')} again, so packets are lost"
        return words

    def _words_of_mismatch(self, offset: int) -> str:
        if offset < len(self.head) and self._message.startswith(self.head):
            return "the reply is the message, unchanged: something echoes"
        sent, received = HEADER.match(self._message), HEADER.match(self.head)
        if sent and received and sent[1] == received[1] and sent[0] != received[0]:
            connection, sequence = int(received[2]), int(received[3])
            owner = "an earlier message" if connection == self._number else "another connection"
            return f"the reply belongs to {owner} (message {sequence} of connection {connection})"
        return ""


def pieces(message: bytes) -> Iterable[bytes]:
    """Yield a message in pieces of `PIECE_BYTES`."""
    return (message[at : at + PIECE_BYTES] for at in range(0, len(message), PIECE_BYTES))
