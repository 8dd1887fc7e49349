"""Whether the server itself answers."""

from stentor_client.check.check import Check, Finding
from stentor_client.check.subject import Subject
from stentor_client.output import wording

SIZE_BYTES = 64


class Answer(Check):
    """Makes the simplest exchange."""

    name = "answer"
    proves = "A program at the other end reads the message and answers it, and nothing on the way does so instead."
    usual_cause = (
        "a middlebox or another service that answers, a proxy that has lost its server, or a server that waits for TLS "
        "or a PROXY header"
    )
    needs = ("connect",)

    async def run(self, subject: Subject) -> Finding:
        """Run the check."""
        async with subject.call() as call:
            await call.ask(SIZE_BYTES)
        return Finding.good(f"{wording.size(SIZE_BYTES)} answered correctly")
