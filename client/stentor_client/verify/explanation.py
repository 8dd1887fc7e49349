"""Describes the faults of replies."""

from stentor_chassis.logs.log import excerpt
from stentor_client.output.wording import duration, size
from stentor_client.verify.outcomes import Outcome
from stentor_client.verify.verifier import Verdict

_TLS_ALERT = b"\x15\3"  # the type of a record, and the version's first byte


def explain(verdict: Verdict, timeout: float) -> str:
    """Describe the fault of a reply, which may stall for `timeout` seconds."""
    if not verdict.offset and verdict.actual.startswith(_TLS_ALERT):
        return "the peer answered with an alert of TLS; use --tls"
    at = f"at byte {verdict.offset} of the reply"
    expected, actual = excerpt(verdict.expected), excerpt(verdict.actual)
    still = f"no progress for {duration(timeout)}"
    position = ""
    if verdict.offset is not None:
        position = f" after {size(verdict.offset)} of the reply" if verdict.offset else " before any byte of the reply"
    return {
        Outcome.MISMATCH: f"{at}, expected '{expected}' and got '{actual}'",
        Outcome.EXTRA: f"{at}, got surplus '{actual}'",
        Outcome.SHORT: f"the peer ended its side{position}, '{expected}' is missing",
        Outcome.TIMEOUT: f"{still}{position}" if position else f"{still}: the peer does not end its side",
        Outcome.EOF: f"the peer closed the connection{position}",
        Outcome.TLS: "the peer ended TLS: it may require a certificate that it trusts",
    }.get(verdict.outcome, f"the connection was cut{position}")
