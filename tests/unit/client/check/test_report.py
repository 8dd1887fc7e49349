"""The results, for people and for programs."""

import io

import pytest
from rich.console import Console

from stentor_client import __version__
from stentor_client.check import report
from stentor_client.check.addresses import Addresses
from stentor_client.check.check import Finding, Result, Status
from stentor_client.check.concurrency import Concurrency
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


def _printed(width: int, *, terminal: bool = False) -> str:
    file = io.StringIO()
    console = Console(
        file=file, width=width, force_terminal=terminal, color_system="standard" if terminal else None, markup=False
    )
    path = subject("127.0.0.1:80")
    report.draw_head(path, console)
    for result in RESULTS:
        report.draw_row(result, console)
    report.draw_summary(RESULTS, [Concurrency()], console)
    return file.getvalue()


def test_people(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each result is there with its words, within the width; brackets are not markup. Colour is for terminals."""
    monkeypatch.setenv("TERM", "xterm")
    text = _printed(80)
    assert max(map(len, text.splitlines())) <= 80
    words = " ".join(text.split())
    assert words.startswith("The path to 127.0.0.1:80 ")
    assert f"connect pass 120 µs {Connect.proves} [::1]:8080: connect 0.1 ms half" in words
    cause = f"Usually: {HalfClose.usual_cause}."
    assert f"half-close fail 1.25 s {HalfClose.proves} 64 B, then FIN: [bold]eof {cause}" in words
    assert "addresses skip a Unix socket has one address 1 passed, 1 failed, 1 skipped in 1.25 s; interrupted" in words
    assert words.endswith("before the end of concurrency")
    assert "\x1b" not in text
    assert "\x1b[" in _printed(80, terminal=True)


def test_document() -> None:
    """A program gets every figure, and the exit code."""
    document = report.document(
        RESULTS, subject("127.0.0.1:80"), "2020-02-20T00:00:00+00:00", complete=False, exit_code=130
    )
    assert {name: value for name, value in document.items() if name != "checks"} == {
        "version": __version__,
        "started_at": "2020-02-20T00:00:00+00:00",
        "duration_seconds": 1.25012,
        "target": "127.0.0.1:80",
        "tls": False,
        "expect": "upper",
        "complete": False,
        "exit_code": 130,
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
        "shortage": None,
        "measured": {"size_bytes": 64},
    }
    assert (connect["status"], connect["outcome"], connect["phase"]) == ("pass", None, None)
    assert (addresses["status"], addresses["measured"]) == ("skip", {})
