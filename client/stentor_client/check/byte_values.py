"""Whether every byte value comes through."""

from stentor_client.check.check import Check, Finding
from stentor_client.check.subject import Subject
from stentor_client.verify.outcomes import ExchangeError

SIZE_BYTES = 512  # room for the header and every value
NAMED = 8
RUN_BYTES = 16  # a bit that is stripped moves values as well, but never so many by so few places


class ByteValues(Check):
    """Sends all 256 values, and names those that come back wrong."""

    name = "byte-values"
    proves = "Each of the 256 byte values comes through, and comes back as it must."
    usual_cause = "something that takes the stream for text: it turns line ends around, escapes, or strips a bit"

    async def run(self, subject: Subject) -> Finding:
        """Try it."""
        async with subject.call() as call:
            message, reply = call.build(SIZE_BYTES)
            try:
                await call.exchange(reply, [message])
            except ExchangeError as error:
                expected = b"".join(part[start:stop] for part, start, stop in reply)
                wrong = _wrong(message, expected, call.head.data)
                return Finding.bad(error, f"{error}{_named(wrong)}", wrong_values=wrong)
        return Finding.good("256 values")


def _wrong(message: bytes, expected: bytes, came: bytes) -> list[int]:
    """Return the values that did not come back as they must, in their order.

    Where a byte is lost or added, all that follow are in the wrong place, though nothing befell them: then only the
    first is to blame for sure.
    """
    places = [at for at, (right, is_there) in enumerate(zip(expected, came, strict=False)) if right != is_there]
    if len(came) != len(expected) or any(_shifted(expected, came, at) for at in places):
        places = places[:1]
    return sorted({message[at] for at in places})


def _shifted(expected: bytes, came: bytes, at: int) -> bool:
    """Return whether what came here belongs a few places before or behind."""
    run = came[at : at + RUN_BYTES]
    near = expected[max(at + 1 - RUN_BYTES, 0) : at + 2 * RUN_BYTES - 1]
    return len(run) == RUN_BYTES and run in near


def _named(wrong: list[int]) -> str:
    if not wrong:
        return ""
    rest = f" and {len(wrong) - NAMED} more" if len(wrong) > NAMED else ""
    return f"; wrong where these were sent: {' '.join(f'{value:02X}' for value in wrong[:NAMED])}{rest}"
