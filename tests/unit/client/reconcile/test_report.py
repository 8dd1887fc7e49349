"""What a reconciliation says."""

import io
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from stentor_chassis.encoding import encode
from stentor_chassis.failure import OK
from stentor_client.reconcile.quantity import QUANTITIES
from stentor_client.reconcile.query import Query
from stentor_client.reconcile.reading import Samples, of_client, of_server
from stentor_client.reconcile.reconciler import Result
from stentor_client.reconcile.report import Report, console
from stentor_client.reconcile.side import Side
from stentor_client.reconcile.window import Bracket, Comparison, Conclusion
from stentor_client.verify.outcomes import CHECK_FAILED
from unit.client.reconcile.endpoints import Server, pair

NONE = (0.0, 0.0)
QUERY = Query(Side.SERVER, "received_bytes", "sum(x{a='[b]'})")


def _judgement(low: float, high: float, left: float = 100000) -> Comparison:
    sure = max(low, 0) + min(high, 0)
    verdict = Conclusion.DIFFER if sure else Conclusion.WITHIN if low or high else Conclusion.AGREE
    return Comparison(
        verdict, Bracket(low=low, high=high, left=left, right=left + low, moved=high - low, at=1, slack=0)
    )


def _result(
    off: Mapping[str, tuple[float, float]] | None = None, server: Server | None = None, **changes: Any
) -> Result:
    """Return one where these quantities are off by these bounds."""
    client, other = pair()
    off = off or {}
    return replace(
        Result(
            judged=[(quantity, _judgement(*off.get(quantity.name, NONE))) for quantity in QUANTITIES],
            answered=[],
            client=of_client(Samples("URL", client.text())),
            server=of_server(Samples("URL", (server or other).text())),
            clients_started=1000.0,
            server_started=1000.0,
        ),
        **changes,
    )


def _printed(result: Result, during: float | None = None) -> list[str]:
    file = io.StringIO()
    Report(result, during).print(console(file))
    return [" ".join(line.split()) for line in file.getvalue().splitlines()]


def test_agreement() -> None:
    """What agrees is a line of both counts and a difference of 0, and exit code 0."""
    lines = _printed(_result())
    assert lines[0] == "quantity client server difference verdict"
    assert lines[1] == "connections 100,000 100,000 0 agree"
    assert lines[5] == "client: sent = received 100,000 0 agree"
    assert lines[-1] == "The counts agree, to the byte."
    assert len(lines) == 9
    assert Report(_result(), None).exit_code == OK


def test_agreement_within_bounds() -> None:
    """Counts that moved all the time agree within so much, which is agreement."""
    result = _result({"bytes back": (-500, 1200)})
    lines = _printed(result)
    assert lines[4] == "bytes back 100,000 99,500 0 agree within 1,200"
    assert lines[-1].startswith("The counts agree, within what moved while they were read")
    assert Report(result, None).exit_code == OK


@pytest.mark.parametrize(
    ("name", "bounds", "row", "sentence"),
    [
        (
            "bytes back",
            (-1, -1),
            "100,000 99,999 -1 differ",
            "of bytes back, the server counted 1 byte fewer than the client",
        ),
        ("connections", (3, 9), "100,000 100,003 +3 differ", "the server counted 3 connections more than the client"),
        (
            "client: sent = received",
            (-2, -2),
            "100,000 / 99,998 -2 differ",
            "does not hold, the right side is 2 bytes fewer",
        ),
    ],
)
def test_difference(name: str, bounds: tuple[float, float], row: str, sentence: str) -> None:
    """What differs is named, with the least difference that is sure, and exit code 6."""
    result = _result({name: bounds})
    lines = _printed(result)
    assert f"{name} {row}" in lines
    assert lines[-1].startswith("The counts disagree: ")
    assert sentence in lines[-1]
    assert Report(result, None).exit_code == CHECK_FAILED


def test_several_differences() -> None:
    """All that differ are named."""
    sentence = _printed(_result({"connections": (1, 1), "bytes back": (-5, -5)}))[-1]
    assert sentence.count("the server counted") == 2


@pytest.mark.parametrize(
    ("change", "note"),
    [
        (
            {"checks": 1200, "check_bytes": 2400},
            "1,200 connections of its own health checks, with 2,400 bytes to the server and 2,400 bytes back.",
        ),
        ({"unfinished": 1}, "up to 1 connection and 2 bytes each way may be theirs."),
        ({"rejected": 1}, "1 connection was rejected by the server"),
        ({"lost": 2}, "2 connections were lost with a worker of the server"),
        ({"unsent": 64}, "64 bytes were received by the server and never answered."),
    ],
)
def test_notes(change: dict[str, Any], note: str) -> None:
    """What helps to understand the counts is told, and where there is nothing of it, it is not."""
    assert note in " ".join(_printed(_result(server=replace(pair()[1], **change))))
    assert note not in " ".join(_printed(_result()))


def test_failed_exchanges() -> None:
    """Exchanges that failed are told."""
    result = _result()
    failed = replace(result, client={**result.client, "failed": 1})
    assert "1 exchange failed at the client" in " ".join(_printed(failed))
    assert "failed at the client" not in " ".join(_printed(result))


@pytest.mark.parametrize(
    ("clients", "server", "older"),
    [(1005.0, 1000.0, "server"), (1000.0, 1005.0, "client"), (0.0, 1000.0, ""), (5, 0, "")],
)
def test_ages(clients: float, server: float, older: str) -> None:
    """Where counts differ, it is told which side is older and may have counted more, unless a time was compared."""
    result = _result({"connections": (1, 1)}, clients_started=clients, server_started=server)
    told = [line for line in _printed(result) if "With --during 30s" in line]
    assert [line.partition(" before")[0] for line in told] == ([f"The {older} started 5.0 s"] if older else [])
    assert "--during" not in " ".join(_printed(result, during=5.0))
    agreeing = _result(clients_started=clients, server_started=server)
    assert "--during" not in " ".join(_printed(agreeing))


def test_queries() -> None:
    """What Prometheus says stands in a table of its own, with the difference in per cent too; markup is no markup."""
    result = _result(answered=[(QUERY, _judgement(-1500, -1500))])
    lines = _printed(result)
    assert f"{QUERY} 98,500 100,000 -1,500 (-1.5 %) differ" in lines
    assert lines[-1] == f"The counts disagree: {QUERY} says 1,500 less than the server counted."
    assert Report(result, None).exit_code == CHECK_FAILED
    for amount, percent in ((-1, "under 0.001 %"), (130_000, "+130 %"), (9_000_000, "+9,000 %")):
        query = _judgement(amount, amount, left=1_000_000 if amount < 0 else 100_000)
        assert f"{amount:+,} ({percent}) differ" in " ".join(_printed(_result(answered=[(QUERY, query)])))
    fraction = _result(answered=[(QUERY, _judgement(0.5, 0.5, left=10))])
    assert f"{QUERY} 10.500 10 +0.500 (+5 %) differ" in _printed(fraction)


def test_data() -> None:
    """The same as data: bounds, counts of both sides, notes, and the sentence."""
    report = Report(_result({"bytes back": (-5, 7)}, answered=[(QUERY, _judgement(0, 0))]), 5.0)
    data = json.loads(encode(report.data()))
    assert (data["agree"], data["during_seconds"], data["summary"]) == (True, 5.0, report.sentence)
    assert data["quantities"][3] == {
        "quantity": "bytes back",
        "left": "client",
        "right": "server",
        "verdict": "agree within what moved",
        "left_count": 100000,
        "right_count": 99995,
        "difference": 0,
        "difference_low": -5,
        "difference_high": 7,
    }
    (query,) = data["queries"]
    assert (query["side"], query["quantity"], query["promql"]) == ("server", "received_bytes", QUERY.promql)
    assert data["server"]["received_bytes"] == data["client"]["sent_bytes"] == 1000
    assert data["notes"] == []


@pytest.mark.parametrize("width", [80, 100, 140])
def test_narrow_terminal(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    """No figure and no verdict is cut or broken where a terminal is narrow, and no word of a sentence is."""
    monkeypatch.setenv("TERM", "xterm")
    count = 123456789012
    judged = [(quantity, _judgement(-64, 1234567, left=count)) for quantity in QUANTITIES]
    result = _result(judged=judged, answered=[(QUERY, _judgement(-1500, -1500, left=count))])
    file = io.StringIO()
    Report(result, None).print(Console(file=file, force_terminal=True, color_system=None, width=width))
    lines = file.getvalue().splitlines()
    words = file.getvalue().split()
    assert max(map(len, lines)) <= width
    assert words.count("123,456,789,012") == words.count("123,456,788,948") + 1
    assert words.count("1,234,567") == len(QUANTITIES)
    assert "…" not in file.getvalue()
    assert " ".join(words).endswith(Report(result, None).sentence)


def test_terminal_and_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Colours are for terminals; elsewhere there is neither colour nor frame, and no line is broken."""
    result = _result({"bytes back": (-1, -1)})
    monkeypatch.setenv("TERM", "xterm")
    terminal, plain = io.StringIO(), io.StringIO()
    Report(result, None).print(Console(file=terminal, force_terminal=True, color_system="standard", width=120))
    Report(result, None).print(console(plain))
    assert "\x1b[" in terminal.getvalue()
    assert "─" in terminal.getvalue()
    assert plain.getvalue().isascii()
    assert "\x1b" not in plain.getvalue()
