"""Explains in words what is wrong with a reply."""

from stentor_chassis.logs.log import excerpt
from stentor_client.output.wording import duration, size
from stentor_client.verify.outcomes import Outcome
from stentor_client.verify.verifier import Verdict


def explain(verdict: Verdict, timeout: float) -> str:
    """Say what is wrong with a reply; `timeout` is in seconds, and limits how long it may stall."""
    at = f"at byte {verdict.offset} of the reply"
    expected, actual = excerpt(verdict.expected), excerpt(verdict.actual)
    still = f"no progress for {duration(timeout)}"
    where = ""
    if verdict.offset is not None:
        where = f" after {size(verdict.offset)} of the reply" if verdict.offset else " before any byte of the reply"
    return {
        Outcome.MISMATCH: f"{at}, expected '{expected}' and got '{actual}'",
        Outcome.EXTRA: f"{at}, got '{actual}' that nobody asked for",
        Outcome.SHORT: f"the server ended its side{where}, '{expected}' was to follow",
        Outcome.TIMEOUT: f"{still}{where}" if where else f"{still}: the server does not end its side",
        Outcome.EOF: f"the server closed the connection{where}",
        Outcome.TLS: "the server broke TLS off: it may want a certificate that it trusts",
    }.get(verdict.outcome, f"the connection was cut{where}")
