"""One connection over the path under test, and the exchanges on it."""

import asyncio
import re
from collections.abc import Iterable, Sequence

from stentor_client.account import Account
from stentor_client.metrics import RETRANSMITS, SCHEMA
from stentor_client.verify.explanation import explain
from stentor_client.verify.message import MessageSource
from stentor_client.verify.outcomes import ExchangeError, Outcome, Phase
from stentor_client.verify.verifier import ReplyPart, Verdict
from stentor_client.wire.connection import Connection
from stentor_client.wire.dial_record import DialRecord
from stentor_client.wire.stall_watcher import StallWatcher

PIECE_BYTES = 64 * 1024  # large messages are handed over in pieces, so that it is seen whether anything moves
HEAD_BYTES = 1024
_HEADER = re.compile(rb"([0-9A-F]{8})\.([0-9A-F]{8})\.([0-9A-F]{8})\.")  # as MessageSource.build makes it


class Head:
    """The first bytes of a reply, kept to say more of a wrong one."""

    def __init__(self) -> None:
        """Begin empty."""
        self.data = b""

    def take(self, data: memoryview) -> None:
        """Keep what there is room for."""
        self.data += bytes(data[: HEAD_BYTES - len(self.data)])


class Call:
    """Sends messages one after the other; a reply that is not good is raised as `ExchangeError`."""

    def __init__(
        self,
        connection: Connection,
        record: DialRecord,
        account: Account,
        head: Head,
        messages: MessageSource,
        number: int,
        timeout_seconds: float,
    ) -> None:
        """`account` is that of this connection alone; `number` stands in the header of its messages."""
        self.connection = connection
        self.record = record
        self.head = head
        self._account = account
        self._messages = messages
        self._number = number
        self._timeout = timeout_seconds
        self._watcher = StallWatcher(connection, account, timeout_seconds)
        self._sequence = 0
        self._message = b""

    def build(self, size: int) -> tuple[bytes, tuple[ReplyPart, ...]]:
        """Return the next message, of `size` bytes, and its reply."""
        self._sequence += 1
        return self._messages.build(self._number, self._sequence, size)

    async def ask(self, size: int) -> None:
        """Send a message of `size` bytes, and wait for its whole reply."""
        message, reply = self.build(size)
        await self.exchange(reply, pieces(message))

    async def exchange(self, reply: Sequence[ReplyPart], parts: Iterable[bytes]) -> None:
        """Send a message in these parts, each on its own as far as the kernel can tell, and wait for its reply."""
        await self.send(reply, parts)
        await self.answered()

    async def send(self, reply: Sequence[ReplyPart], parts: Iterable[bytes]) -> None:
        """Send a message in these parts; with no `reply`, they are more of the message before."""
        if reply:
            self._message = b""
            self.head.data = b""
        await self._watcher.during(self._send(reply, parts))

    async def answered(self) -> None:
        """Wait for the whole reply."""
        verdict = await self._watcher.during(self.connection.verdict())
        if verdict.outcome is not Outcome.OK:
            # It sees the connection off, and how often the kernel sent again with it.
            await self.connection.abandon(verdict.outcome)
            raise ExchangeError(verdict.outcome, verdict.phase, self._words(verdict))

    async def begun(self) -> bool:
        """Wait for the first byte of the reply, up to the time-out; return whether it came."""
        try:
            async with asyncio.timeout(self._timeout):
                while not self.head.data and self.connection.lost_by is None:
                    await self.connection.news()
        except TimeoutError:
            return False
        return bool(self.head.data)

    async def ended(self) -> None:
        """Wait for the peer's end of the connection, which must come in order, and after no further byte."""
        verdict = await self._watcher.during(self.connection.orderly_end())
        if verdict.outcome is not Outcome.OK:
            raise ExchangeError(verdict.outcome, Phase.CLOSE, explain(verdict, self._timeout))

    async def silent(self, seconds: float) -> None:
        """Be silent for so long; raise where the connection ends meanwhile."""
        begun = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(seconds):
                outcome = await self.connection.end()
        except TimeoutError:
            return
        after = asyncio.get_running_loop().time() - begun
        words = f"the connection ended after {after:.1f} s of silence"
        if outcome is Outcome.EXTRA:  # it was we who ended it
            words = explain(self.connection.verifier.failed or Verdict(outcome, 0), self._timeout)
        raise ExchangeError(outcome, Phase.CLOSE, words)

    async def _send(self, reply: Sequence[ReplyPart], parts: Iterable[bytes]) -> None:
        for part in parts:
            self._message += part[: HEAD_BYTES - len(self._message)]
            await self.connection.send(part, reply)
            reply = ()  # the first part has told all that is to come
            await asyncio.sleep(0)

    def _words(self, verdict: Verdict) -> str:
        words = explain(verdict, self._timeout)
        if verdict.outcome is Outcome.MISMATCH:
            return self._words_of_mismatch(verdict.offset or 0) or words
        again = self._account.row[SCHEMA.slot(RETRANSMITS)]
        if verdict.outcome is Outcome.TIMEOUT and again:
            words += f"; the kernel sent again {again} {'time' if again == 1 else 'times'}, so packets get lost"
        return words

    def _words_of_mismatch(self, offset: int) -> str:
        if offset < len(self.head.data) and self._message.startswith(self.head.data):
            return "the reply is what was sent, unchanged: something echoes"
        asked, came = _HEADER.match(self._message), _HEADER.match(self.head.data)
        if asked and came and asked[1] == came[1] and asked[0] != came[0]:
            connection, sequence = int(came[2], 16), int(came[3], 16)
            what = "an earlier message" if connection == self._number else "another connection"
            return f"the reply belongs to {what} (message {sequence} of connection {connection})"
        return ""


def pieces(message: bytes, size: int = PIECE_BYTES) -> Iterable[bytes]:
    """Yield a message in pieces of `size` bytes."""
    return (message[at : at + size] for at in range(0, len(message), size))
