"""Whether every byte value comes through."""

from stentor_client.checks.check import Check, Finding
from stentor_client.checks.subject import Subject
from stentor_client.outcomes import ExchangeError

SIZE_BYTES = 512  # room for the header and every value
NAMED = 8


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
                pairs = zip(message, expected, call.head.data, strict=False)
                wrong = sorted({value for value, right, came in pairs if right != came})
                return Finding.bad(error, f"{error}{_named(wrong)}", wrong_values=wrong)
        return Finding.good("256 values")


def _named(wrong: list[int]) -> str:
    if not wrong:
        return ""
    rest = f" and {len(wrong) - NAMED} more" if len(wrong) > NAMED else ""
    return f"; wrong where these were sent: {' '.join(f'{value:02X}' for value in wrong[:NAMED])}{rest}"
