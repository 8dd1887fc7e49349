"""Whether one direction can end before the other."""

from stentor_client.check.check import Check, Finding, Status
from stentor_client.check.subject import Subject
from stentor_client.output import wording
from stentor_client.verify.outcomes import ExchangeError

SMALL_BYTES, LARGE_BYTES = 64, 256 * 1024
ATTEMPTS = 3  # of each: on a fast path the reply can win against a proxy that would drop it


class HalfClose(Check):
    """Ends this side right after the message, and reads on."""

    name = "half-close"
    proves = "After this side ends (FIN), the whole reply still arrives, and then the peer's FIN."
    usual_cause = (
        "a proxy that ends both directions at the first FIN (as nginx does unless proxy_half_close is on), or one that "
        "does not forward the FIN"
    )

    async def run(self, subject: Subject) -> Finding:
        """Run the check."""
        if subject.dial.tls:
            return Finding(Status.SKIP, "TLS cannot end one direction alone")
        sizes = sorted({SMALL_BYTES, subject.fitting(LARGE_BYTES)})
        for size in sizes * ATTEMPTS:
            async with subject.call() as call:
                message, reply = call.build(size)
                await call.send(reply, [message])
                call.connection.end_sending()
                try:
                    await call.answered()
                except ExchangeError as error:
                    return Finding.bad(error, f"{wording.size(size)}, then FIN: {error}")
                try:
                    await call.ended()
                except ExchangeError as error:
                    return Finding.bad(error, f"{wording.size(size)}, then FIN: the whole reply arrived, but {error}")
        return Finding.good(f"the whole reply to {wording.listed([wording.size(size) for size in sizes])}, then FIN")
