"""Whether segmentation matters."""

import itertools
import random

from stentor_client.check.call import Call
from stentor_client.check.check import Check, Finding
from stentor_client.check.subject import Subject
from stentor_client.verify.outcomes import ExchangeError

BYTEWISE_BYTES = 64
RANDOM_BYTES = 64 * 1024
RANDOM_CUTS = 50  # fewer than the smallest message has bytes
JOINED = 20
JOINED_BYTES = 2000  # in total


class Segmentation(Check):
    """Sends messages in many pieces, and many messages in one piece."""

    name = "segmentation"
    proves = "The reply does not depend on how the message is cut into pieces."
    usual_cause = wrong_bytes = "something that treats one segment as one message, or waits for the end of a line"

    async def run(self, subject: Subject) -> Finding:
        """Run the check."""
        for words, attempt in (
            ("one byte at a time", _bytewise),
            (f"cut at {RANDOM_CUTS} random places", _at_random),
            (f"{JOINED} messages in one piece", _joined),
        ):
            try:
                async with subject.call() as call:
                    await attempt(call, subject)
            except ExchangeError as error:
                return Finding.bad(error, f"{words}: {error}")
        return Finding.good(
            f"one byte at a time, cut at {RANDOM_CUTS} random places, and {JOINED} messages in one piece"
        )


async def _bytewise(call: Call, subject: Subject) -> None:
    message, reply = call.build(subject.fitting(BYTEWISE_BYTES))
    await call.exchange(reply, (message[at : at + 1] for at in range(len(message))))


async def _at_random(call: Call, subject: Subject) -> None:
    message, reply = call.build(subject.fitting(RANDOM_BYTES))
    edges = [0, *sorted(random.sample(range(1, len(message)), RANDOM_CUTS)), len(message)]
    await call.exchange(reply, (message[start:stop] for start, stop in itertools.pairwise(edges)))


async def _joined(call: Call, subject: Subject) -> None:
    size = subject.fitting(JOINED_BYTES) // JOINED
    built = [call.build(size) for _ in range(JOINED)]
    windows = tuple(window for _, reply in built for window in reply)
    await call.exchange(windows, [b"".join(message for message, _ in built)])
