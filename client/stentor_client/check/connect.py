"""Whether a connection is possible."""

from stentor_chassis.counters.histogram import NANOSECONDS
from stentor_client.check.check import Check, Finding
from stentor_client.check.subject import Subject
from stentor_client.output import wording


class Connect(Check):
    """Connects, and measures each phase."""

    name = "connect"
    proves = "A connection can be made, at least to the first proxy, including TLS if it is enabled."
    usual_cause = (
        "the name is wrong, nothing listens, a firewall drops or rejects packets, or the two sides do not agree on TLS"
    )
    needs = ()

    async def run(self, subject: Subject) -> Finding:
        """Run the check."""
        async with subject.call() as call:
            record = call.record
            seconds = {phase: duration / NANOSECONDS for phase, duration in record.durations.items()}
            parts = ", ".join(f"{phase} {wording.elapsed(lasted)}" for phase, lasted in seconds.items())
            measured = {f"{phase}_seconds": round(lasted, 6) for phase, lasted in seconds.items()}
            return Finding.good(f"{record.endpoint}: {parts}", address=str(record.endpoint), **measured)
