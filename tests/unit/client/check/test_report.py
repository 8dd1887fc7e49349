"""The results, for people and for programs."""

import io

import pytest
from rich.console import Console

from stentor_client.check import report
from stentor_client.check.addresses import Addresses
from stentor_client.check.check import Finding, Result, Status
from stentor_client.check.connect import Connect
from stentor_client.check.half_close import HalfClose
from stentor_client.verify.outcomes import Outcome, Phase
from unit.client.check.checking import subject

CUT = Finding(Status.FAIL, "64 B, then FIN: [bold]eof", Outcome.EOF, Phase.FIRST_BYTE, {"size_bytes": 64})
RESULTS = [
    Result(Connect(), Finding.good("[::1]:8080: connect 0.1 ms"), 0.00012),
    Result(HalfClose(), CUT, 1.25),
    Result(Addresses(), Finding(Status.SKIP, "a Unix socket has one address"), 0.0),
]


def printed(width: int, *, terminal: bool = False) -> str:
    """Return the table as it is printed."""
    out = io.StringIO()
    system = "standard" if terminal else None
    Console(file=out, width=width, force_terminal=terminal, color_system=system).print(report.table(RESULTS))  # type: ignore[arg-type]
    return out.getvalue()


@pytest.mark.parametrize("width", [80, 140])
def test_table(width: int) -> None:
    """At usual widths each result is there with its words, which are not taken for markup."""
    text = printed(width)
    assert max(map(len, text.splitlines())) <= width
    words = " ".join(text.split())
    assert f"connect pass 0.1 ms {Connect.proves}" in words
    assert "[::1]:8080: connect 0.1 ms" in words
    assert (
        f"half-close fail 1.2 s {HalfClose.proves} 64 B, then FIN: [bold]eof Usually: {HalfClose.usual_cause}." in words
    )
    assert "addresses skip a Unix socket has one address" in words
    assert Connect.usual_cause not in words
    assert Addresses.proves not in words


def test_colour() -> None:
    """Colour is for terminals only."""
    assert "\x1b[" in printed(80, terminal=True)
    assert "\x1b" not in printed(80)


def test_summary() -> None:
    """The last line counts what there is to count."""
    assert report.summary(RESULTS) == "1 passed, 1 failed, 1 skipped in 1.3 s"
    assert report.summary(RESULTS[:1]) == "1 passed in 0.1 ms"


def test_document() -> None:
    """A program gets every figure, and the exit code."""
    document = report.document(RESULTS, subject("127.0.0.1:80"), "2020-02-20T00:00:00+00:00", "1.2.3")
    assert {name: value for name, value in document.items() if name != "checks"} == {
        "version": "1.2.3",
        "started_at": "2020-02-20T00:00:00+00:00",
        "duration_seconds": 1.25012,
        "target": "127.0.0.1:80",
        "tls": False,
        "expect": "upper",
        "exit_code": 4,
    }
    connect, half_close, addresses = document["checks"]
    assert half_close == {
        "name": "half-close",
        "status": "fail",
        "detail": "64 B, then FIN: [bold]eof",
        "outcome": "eof",
        "phase": "first_byte",
        "duration_seconds": 1.25,
        "proves": HalfClose.proves,
        "usual_cause": HalfClose.usual_cause,
        "measured": {"size_bytes": 64},
    }
    assert (connect["status"], connect["outcome"], connect["phase"]) == ("pass", None, None)
    assert (addresses["status"], addresses["measured"]) == ("skip", {})
