"""Whether the server answers, and no one in its place."""

from stentor_client.check.check import Check, Finding
from stentor_client.check.subject import Subject
from stentor_client.output import wording

SIZE_BYTES = 64


class Answer(Check):
    """Makes the simplest exchange there is."""

    name = "answer"
    proves = (
        "A program at the other end reads what is sent and answers it, and nothing on the way does so in its place."
    )
    usual_cause = (
        "a middlebox or another service that answers by itself, a proxy whose server is gone, or a server that waits "
        "for TLS or a PROXY header"
    )
    needs = ("connect",)

    async def run(self, subject: Subject) -> Finding:
        """Try it."""
        async with subject.call() as call:
            await call.ask(SIZE_BYTES)
        return Finding.good(f"{wording.size(SIZE_BYTES)} came back as they must")
