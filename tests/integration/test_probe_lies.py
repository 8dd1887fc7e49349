"""`stentor-client probe`, and every way in which a server can lie to it."""

import pytest

import lying
from certificates import Authority
from exposition import total
from processes import Probe


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize(
    ("behaviour", "connection", "outcomes", "offset", "phase", "code"),
    [
        (lying.flip, "mixed", {"mismatch": 2}, 4, "reply", 5),
        (lying.truncate, "mixed", {"short": 2}, 63, "reply", 5),
        (lying.add, "mixed", {"extra": 2}, 64, "reply", 5),
        (lying.repeat_the_first, "persistent", {"ok": 2, "mismatch": 1}, 25, "reply", 5),
        (lying.mixing_up(), "fresh", {"ok": 1, "mismatch": 2}, 16, "reply", 5),
        (lying.close_early, "mixed", {"eof": 2}, 0, "first_byte", 4),
        (lying.reset, "mixed", {"reset": 2}, 0, "first_byte", 4),
        (lying.stay_silent, "mixed", {"timeout": 2}, 0, "first_byte", 4),
        (lying.stall, "mixed", {"timeout": 2}, 32, "reply", 4),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_every_lie_has_its_outcome(
    authority: Authority,
    behaviour: lying.Behaviour,
    connection: str,
    outcomes: dict[str, int],
    offset: int,
    phase: str,
    code: int,
    encrypted: bool,  # noqa: FBT001
) -> None:
    """Each lie has its own outcome, offset and phase in log and metrics, and decides the exit code."""
    outcome = next(name for name in outcomes if name != "ok")
    count = sum(outcomes.values())
    if behaviour.__name__ == "mix_up":
        behaviour = lying.mixing_up()  # one that has seen no other test's
    tls = authority.serve(authority.issue("server")) if encrypted else None
    trust = ("--tls", "--tls-ca", authority.file) if encrypted else ()
    timeout = "200ms" if outcome == "timeout" else "10s"
    options = ("--count", str(count), "--interval", "1s", "--sizes", "64", "--timeout", timeout)
    with (
        lying.LyingServer(behaviour, tls) as server,
        Probe(server.target, *options, "--connection", connection, *trust) as probe,
    ):
        failed = probe.event("exchange.failed")
        values = probe.metrics()
        assert (failed["outcome"], failed["offset"], failed["phase"]) == (outcome, offset, phase)
        assert values[f'stentor_client_exchanges_total{{outcome="{outcome}"}}'] >= 1
        assert values[f'stentor_client_connections_lost_total{{outcome="{outcome}"}}'] >= 1
        assert {outcome, "ok"} >= {name for name in _outcomes(values) if _outcomes(values)[name]}
        assert values["stentor_client_target_up"] == 0
        assert probe.event("connection.lost", outcomes[outcome])["outcome"] == outcome
        assert probe.event("probe.summary")["outcomes"] == outcomes
        assert len(probe.find("exchange.failed")) == outcomes[outcome]
        assert probe.process.wait(20) == code


def _outcomes(values: dict[str, float]) -> dict[str, float]:
    name = "stentor_client_exchanges_total"
    assert total(values, name) > 0
    return {key.split('"')[1]: value for key, value in values.items() if key.startswith(name)}
