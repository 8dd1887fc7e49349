"""What became of a reply, in words."""

from stentor_chassis.logs import excerpt
from stentor_client.outcomes import Outcome
from stentor_client.verifier import Verdict


def explain(verdict: Verdict, timeout: float) -> str:
    """Say what is wrong with a reply, for which there were `timeout` seconds."""
    at = f"at byte {verdict.offset} of the reply"
    expected, actual = excerpt(verdict.expected), excerpt(verdict.actual)
    where = f", {at}" if verdict.offset is not None else ": the server does not end its side"
    return {
        Outcome.MISMATCH: f"{at}, expected '{expected}' and got '{actual}'",
        Outcome.EXTRA: f"{at}, got '{actual}' that nobody asked for",
        Outcome.SHORT: f"the reply ended {at}, '{expected}' was to follow",
        Outcome.TIMEOUT: f"no progress for {timeout:g} s{where}",
        Outcome.EOF: "the server closed the connection before it was done",
        Outcome.TLS: "the server broke TLS off: it may want a certificate that it trusts",
    }.get(verdict.outcome, "the connection was cut")
