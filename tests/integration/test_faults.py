"""Faults that the server injects, as the client, both logs and both sides' metrics report them."""

import pytest

from exposition import Samples
from processes import Probe, Server

SIZES = (64, 1024, 4096)  # each is read in one go, and has one answer
WHOLE = sum(SIZES)


def faulty(*faults: str, options: tuple[str, ...] = ()) -> Server:
    """Return a server that does all of these."""
    asked = [part for fault in faults for part in ("--fault", fault)]
    return Server("--workers", "1", "--allow-faults", "--log-level", "debug", *asked, *options)


def injected(values: Samples, fault: str) -> float:
    """Return how often a fault happened."""
    return values[f'stentor_server_faults_injected_total{{fault="{fault}"}}']


@pytest.mark.parametrize(
    ("fault", "outcome", "offsets", "code", "sent"),
    [
        ("truncate=1", "short", {32, 512, 2048}, 5, WHOLE // 2),
        ("corrupt=1", "mismatch", None, 5, WHOLE),
        ("extra=1", "extra", set(SIZES), 5, WHOLE + 3),
        ("reset=1", "reset", {0}, 4, 0),
        ("early_fin=1", "eof", {0}, 4, 0),
        ("stall=1", "timeout", {0}, 4, 0),
    ],
    ids=lambda value: value.partition("=")[0] if isinstance(value, str) else "",
)
def test_fault_of_an_answer(fault: str, outcome: str, offsets: set[int] | None, code: int, sent: int) -> None:
    """Each has its outcome in the client; both sides count it, and neither loses a byte from its account."""
    name = fault.partition("=")[0]
    timeout = "500ms" if outcome == "timeout" else "1m"
    options = ("--count", "3", "--interval", "20ms", "--timeout", timeout, "--sizes", ",".join(map(str, SIZES)))
    with faulty(fault) as server, Probe(server.target, *options) as probe:
        assert server.event("faults.enabled", level="warning")["fault"] == server.status()["config"]["fault"] == [fault]
        failed = [probe.event("exchange.failed", number, outcome=outcome) for number in (1, 2, 3)]
        assert probe.event("probe.summary")["outcomes"] == {outcome: 3}
        assert probe.end() == code
        if offsets is not None:
            assert {each["offset"] for each in failed} == offsets
        values = server.quiet()
        assert injected(values, name) == 3
        assert [server.event("fault.injected", number)["fault"] for number in (1, 2, 3)] == [name] * 3
        assert values["stentor_server_received_bytes_total"] == WHOLE
        assert values["stentor_server_sent_bytes_total"] == sent
        assert values["stentor_server_unsent_bytes_total"] == max(0, WHOLE - sent)
        unaware = name in {"corrupt", "extra"}  # the connection, of its fault: it ends like any other
        ends = [server.event("connection.closed", each) for each in (1, 2, 3)] if unaware else server.closed("fault", 3)
        assert sum(each["sent_bytes"] for each in ends) == sent
