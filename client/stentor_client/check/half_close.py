"""Whether the end of one direction leaves the other alone."""

from stentor_client.check.check import Check, Finding, Status
from stentor_client.check.subject import Subject
from stentor_client.output import wording
from stentor_client.verify.outcomes import ExchangeError

SMALL_BYTES, LARGE_BYTES = 64, 256 * 1024
ATTEMPTS = 3  # of each, for on a fast path the reply can be quicker than the proxy that would have dropped it


class HalfClose(Check):
    """Ends this side at once after the message, and reads on."""

    name = "half-close"
    proves = "After this side has ended (FIN) the whole reply still comes, and then the peer's own end."
    usual_cause = (
        "a proxy that ends both directions at the first FIN (as nginx does unless proxy_half_close is on), or one that "
        "does not pass the FIN on"
    )

    async def run(self, subject: Subject) -> Finding:
        """Try it."""
        if subject.dial.tls:
            return Finding(Status.SKIP, "over TLS this client cannot end one direction alone")
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
                    return Finding.bad(error, f"{wording.size(size)}, then FIN: the whole reply came, but {error}")
        return Finding.good(f"the whole reply to {wording.listed([wording.size(size) for size in sizes])}, then FIN")
