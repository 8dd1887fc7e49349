"""The report of a reconciliation."""

import io
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from stentor_chassis.encoding import encode
from stentor_chassis.failure import OK
from stentor_client.reconcile.bracket import Bracket
from stentor_client.reconcile.judging import Comparison, judge
from stentor_client.reconcile.quantity import QUANTITIES, Side
from stentor_client.reconcile.query import Query
from stentor_client.reconcile.reading import Samples, of_client, of_server
from stentor_client.reconcile.reconciler import Result
from stentor_client.reconcile.report import Report
from stentor_client.verify.outcomes import CHECK_FAILED, UNKNOWN
from unit.client.reconcile.endpoints import Server, pair

QUERY = Query(Side.SERVER, "received_bytes", "sum(x{a='[b]'})")


def _comparison(low: float = 0, high: float = 0, left: float = 100000) -> Comparison:
    bracket = Bracket(low=low, high=high, left=left, right=left + low, moved=high - low, counted=left, at=1, rest=False)
    comparison = judge([bracket])
    assert comparison is not None
    return comparison


def _result(
    off: Mapping[str, tuple[float, float]] | None = None, server: Server | None = None, **changes: Any
) -> Result:
    """Return one in which these quantities are off by these bounds."""
    client, other = pair()
    result = Result(
        quantities=[(quantity, _comparison(*(off or {}).get(quantity.name, ()))) for quantity in QUANTITIES],
        queries=[],
        client=of_client(Samples("URL", client.text())),
        server=of_server(Samples("URL", (server or other).text())),
        clients_started=1000.0,
        server_started=1000.0,
    )
    return replace(result, **changes)


def _printed(result: Result, during: float | None = None) -> list[str]:
    file = io.StringIO()
    Report(result, during).print(Console(file=file, width=160))
    return [" ".join(line.split()) for line in file.getvalue().splitlines()]


def test_agreement() -> None:
    """Quantities that agree, also within bounds, end with 0."""
    lines = _printed(_result())
    assert lines[0] == "quantity client server difference verdict"
    assert lines[1] == "connections 100,000 100,000 0 agree"
    assert lines[5] == "client: sent = received 100,000 0 agree"
    assert lines[8:] == ["The counts agree, to the byte."]
    moving = _result({"bytes back": (-500, 1200)})
    lines = _printed(moving)
    assert lines[4] == "bytes back 100,000 99,500 up to 1,200 agree within what moved"
    assert lines[-1].startswith("The counts agree within what moved while they were read")
    assert Report(_result(), None).exit_code == Report(moving, None).exit_code == OK
    idle = [(quantity, _comparison(left=0)) for quantity in QUANTITIES]
    assert _printed(_result(quantities=idle))[-1].startswith("Nothing was counted on either side")


def test_unknown() -> None:
    """What nobody can tell is named with the reason, and ends with 7, unless something differs for certain."""
    result = _result({"bytes back": (-500, 2001)}, queries=[(QUERY, _comparison(-4000, 0))])
    lines = _printed(result)
    assert "bytes back 100,000 99,500 unknown cannot tell" in lines
    assert "bytes back: 2,001 may be missing or surplus, which is more than 2 % of the count." in lines
    assert "HAProxy adds the bytes of a connection when it ends" in " ".join(lines)
    assert lines[-1] == f"Cannot tell whether these counts agree: bytes back; {QUERY}."
    assert Report(result, None).exit_code == UNKNOWN
    assert Report(_result({"bytes back": (-500, 2001), "connections": (1, 1)}), None).exit_code == CHECK_FAILED


def test_accepted() -> None:
    """A difference that is accepted is shown, and ends with 0."""
    comparison = judge([_comparison(-1500, -1500).bracket], accepted=0.02)
    assert comparison is not None
    result = _result(queries=[(QUERY, comparison)])
    assert f"{QUERY} 98,500 100,000 -1,500 (-1.5 %) differ by an accepted share" in _printed(result)
    assert Report(result, None).exit_code == OK


def test_difference() -> None:
    """Every quantity that differs is named, with the smallest certain difference, and ends with 6."""
    result = _result({"bytes back": (-1, -1), "connections": (3, 9), "client: sent = received": (-2, -2)})
    lines = _printed(result)
    assert {
        "bytes back 100,000 99,999 -1 differ",
        "connections 100,000 100,003 at least +3 differ",
        "client: sent = received 100,000 / 99,998 -2 differ",
    } < {*lines}
    assert lines[-1] == (
        "The counts disagree: for connections, the server counted at least 3 more than the client; "
        "for bytes back, the server counted 1 fewer than the client; "
        "client: sent = received does not hold: the right side is 2 bytes lower."
    )
    assert Report(result, None).exit_code == CHECK_FAILED


@pytest.mark.parametrize(
    ("change", "note"),
    [
        ({"rejected": 1}, "1 connection was rejected by the server"),
        ({"lost": 2}, "2 connections were lost with a killed worker of the server"),
        ({"unsent": 64}, "64 bytes were received by the server and never answered."),
    ],
)
def test_notes(change: dict[str, Any], note: str) -> None:
    """Facts that help to understand the counts are noted."""
    result = _result(server=replace(pair()[1], **change))
    printed = " ".join(_printed(replace(result, client={**result.client, "failed": 1})))
    assert note in printed
    assert "1 exchange failed at the client" in printed


@pytest.mark.parametrize(
    ("clients", "server", "older"), [(1005.0, 1000.0, "server"), (1000.0, 1005.0, "client"), (0.0, 1000.0, "")]
)
def test_ages(clients: float, server: float, older: str) -> None:
    """If counts differ, the older side is named, which may have counted more, unless only a time was compared."""
    result = _result({"connections": (1, 1)}, clients_started=clients, server_started=server)
    found = [line for line in _printed(result) if "With --during 30s" in line]
    assert [line.partition(" before")[0] for line in found] == (
        [f"By its own clock, the {older} started 5.0 s"] if older else []
    )
    assert "--during" not in " ".join(_printed(result, during=5.0))


def test_queries() -> None:
    """The results of queries have a table of their own, with differences in percent; brackets are not markup."""
    result = _result(queries=[(QUERY, _comparison(-1500, -1500))])
    lines = _printed(result)
    assert f"{QUERY} 98,500 100,000 -1,500 (-1.5 %) differ" in lines
    assert lines[-1] == f"The counts disagree: {QUERY} says 1,500 less than the server counted."
    assert Report(result, None).exit_code == CHECK_FAILED


def test_data() -> None:
    """The same as data: bounds, counts of both sides, notes, and the summary."""
    report = Report(_result({"bytes back": (-5, 7)}, queries=[(QUERY, _comparison())]), 5.0)
    data = json.loads(encode(report.data()))
    assert (data["agree"], data["during_seconds"], data["summary"]) == (True, 5.0, report.summary)
    assert data["quantities"][3] == {
        "quantity": "bytes back",
        "left": "client",
        "right": "server",
        "verdict": "agree within what moved",
        "reason": None,
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


def test_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a narrow terminal, figures, words and sentences stay whole."""
    monkeypatch.setenv("TERM", "xterm")
    count = 123456789012
    quantities = [(quantity, _comparison(-64, 1234567, left=count)) for quantity in QUANTITIES]
    result = _result(quantities=quantities, queries=[(QUERY, _comparison(-1500, -1500, left=count))])
    file = io.StringIO()
    Report(result, None).print(Console(file=file, force_terminal=True, color_system=None, width=80))
    words = file.getvalue().split()
    assert max(map(len, file.getvalue().splitlines())) <= 80
    assert words.count("123,456,789,012") == words.count("123,456,788,948") + 1
    assert words.count("1,234,567") == len(QUANTITIES)
    assert "…" not in file.getvalue()
    assert " ".join(words).endswith(Report(result, None).summary)
