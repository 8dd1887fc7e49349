"""Whether the path delivers every byte value."""

from stentor_client.check.check import Check, Finding
from stentor_client.check.subject import Subject
from stentor_client.verify.outcomes import ExchangeError

SIZE_BYTES = 512  # room for the header and every value
NAMED = 8
RUN_BYTES = 16  # a stripped bit also moves values, but never this many by so few places


class ByteValues(Check):
    """Sends all 256 values, and lists those that return wrong."""

    name = "byte-values"
    proves = "Each of the 256 byte values is answered with the right one."
    usual_cause = wrong_bytes = (
        "something that treats the stream as text: it converts line ends, escapes characters, or strips a bit"
    )

    async def run(self, subject: Subject) -> Finding:
        """Run the check."""
        async with subject.call() as call:
            message, reply = call.build(SIZE_BYTES)
            try:
                await call.exchange(reply, [message])
            except ExchangeError as error:
                expected = b"".join(part[start:stop] for part, start, stop in reply)
                wrong = _wrong(message, expected, bytes(call.head))
                return Finding.bad(error, f"{error}{_named(wrong)}", wrong_values=wrong)
        return Finding.good("256 values")


def _wrong(message: bytes, expected: bytes, actual: bytes) -> list[int]:
    """Return the values that returned wrong, in order.

    After a lost or an added byte, everything is in the wrong place; then only the first value is known to be wrong.
    """
    places = [at for at, (right, found) in enumerate(zip(expected, actual, strict=False)) if right != found]
    if len(actual) != len(expected) or any(_shifted(expected, actual, at) for at in places):
        places = places[:1]
    return sorted({message[at] for at in places})


def _shifted(expected: bytes, actual: bytes, at: int) -> bool:
    """Return whether the bytes at this place belong a few places before or behind."""
    run = actual[at : at + RUN_BYTES]
    near = expected[max(at + 1 - RUN_BYTES, 0) : at + 2 * RUN_BYTES - 1]
    return len(run) == RUN_BYTES and run in near


def _named(wrong: list[int]) -> str:
    if not wrong:
        return ""
    rest = f" and {len(wrong) - NAMED} more" if len(wrong) > NAMED else ""
    return f"; these values return wrong: {' '.join(f'{value:02X}' for value in wrong[:NAMED])}{rest}"
