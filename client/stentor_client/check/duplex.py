"""Whether both directions run at once."""

from stentor_client.check.call import PIECE_BYTES, pieces
from stentor_client.check.check import Check, Finding, Status
from stentor_client.check.subject import Subject
from stentor_client.output import wording

SIZE_BYTES = 1 << 20


class Duplex(Check):
    """Withholds the last piece of a large message until its reply begins."""

    name = "full-duplex"
    proves = "The reply begins while the message is still being sent: both directions run at once."
    usual_cause = "a proxy or an inspecting firewall that stores the whole message before it forwards anything"

    async def run(self, subject: Subject) -> Finding:
        """Run the check."""
        size = subject.fitting(SIZE_BYTES)
        last = min(PIECE_BYTES, size // 2)
        async with subject.call() as call:
            message, reply = call.build(size)
            held_back = size - last
            await call.send(reply, pieces(message[:held_back]))
            begun = await call.begun()
            await call.send((), [message[held_back:]])
            await call.answered()
        if begun:
            return Finding.good(
                f"the reply to {wording.size(size)} began before the last {wording.size(last)} were sent"
            )
        waited = wording.duration(subject.timeout_seconds)
        return Finding(
            Status.FAIL,
            f"no byte of the reply to {wording.size(size)} arrived before the last byte was sent, {waited} later",
        )
