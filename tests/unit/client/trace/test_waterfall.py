"""A trace in a terminal."""

import io
import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from stentor_client.trace.agreement import Agreement
from stentor_client.trace.tracer import Part, Trace
from stentor_client.trace.waterfall import draw
from stentor_client.verify.outcomes import Outcome

MS = 1_000_000
NAMES = ["resolve", "connect", "tls", "send", "first_byte", "reply", "close"]
AGREEMENT = Agreement("TLSv1.3", "AES", "CN=server", ["server.example"], "2030-01-01T00:00:00Z")
NAMELESS = replace(AGREEMENT, names=[])


def _traced(*parts: Part, **changes: object) -> Trace:
    trace = Trace("server:1", "server", 5, datetime.now(UTC), parts[0].begun, parts[-1].ended, parts=list(parts))
    known = replace(
        trace,
        local="10.0.0.2:40000",
        remote="10.0.0.1:1",
        addresses=["10.0.0.1:1"],
        accepted_bytes=5,
        sent_bytes=5,
        received_bytes=5,
        reads=1,
        rtt_microseconds=250,
        half_closed=True,
    )
    return replace(known, **changes)  # type: ignore[arg-type]


def _whole(*, tls: bool = False, **changes: object) -> Trace:
    """Return a trace whose parts take 1, 2, 3, ... ms, with 1 ms between them."""
    begun, parts = 0, []
    for number, name in enumerate(name for name in NAMES if tls or name != "tls"):
        parts.append(Part(name, begun, begun + (number + 1) * MS))
        begun += (number + 2) * MS
    return _traced(*parts, tls=AGREEMENT if tls else None, **changes)


def _shown(trace: Trace, columns: int = 80, encoding: str = "utf-8", *, colours: bool = False) -> str:
    file = io.TextIOWrapper(io.BytesIO(), encoding)
    colour = "standard" if colours else None
    draw(trace, Console(file=file, width=columns, force_terminal=colours, color_system=colour))  # type: ignore[arg-type]
    file.seek(0)
    return file.read()


def test_80_columns() -> None:
    """On 80 columns each part has a line, with the explanation below it."""
    assert _shown(_whole()).splitlines() == [
        "server:1  10.0.0.2:40000 → 10.0.0.1:1",
        "",
        "  getaddrinfo       ██                                                  1.000 ms",
        "    server is 10.0.0.1",
        "  socket, connect      ████                                             2.000 ms",
        "    SYN, SYN-ACK, ACK with 10.0.0.1:1",
        "  send                       ██████                                     3.000 ms",
        "    5 bytes copied to the kernel, which sends them on its own",
        "  recv, first byte                  ████████                            4.000 ms",
        "    the way there, the server's work, and the way back; the kernel estimates a",
        "    round trip at 0.250 ms",
        "  recv, last byte                            ██████████                 5.000 ms",
        "    5 bytes in 1 read",
        "  shutdown, close                                       ████████████    6.000 ms",
        "    we ended our side; the server answered everything, then ended its own",
        "  between                                                               5.000 ms",
        "    time in the client itself",
        "  total                                                                26.000 ms",
        "    ok: 5 bytes received, all correct",
    ]


def test_140_columns() -> None:
    """On 140 columns the explanation is beside the bar."""
    lines = _shown(_whole(tls=True), 140).splitlines()
    assert len(lines) == 2 + 7 + 2 + 3  # three sentences are long
    assert lines[2].endswith("   1.000 ms  server is 10.0.0.1")
    assert lines[4].endswith("  TLSv1.3, AES; certificate of server.example, valid until")
    assert lines[5].strip() == "2030-01-01T00:00:00Z"
    assert lines[11].endswith("  close notify, then FIN, both ways")


@pytest.mark.parametrize("tls", [False, True])
@given(columns=st.integers(60, 200))
def test_any_width(tls: bool, columns: int) -> None:  # noqa: FBT001 - hypothesis and pytest pass by name
    """No line is wider than the terminal or ends in blanks, and every part is there, in order."""
    trace = _whole(tls=tls)
    lines = _shown(trace, columns).splitlines()
    assert max(map(len, lines)) <= columns
    assert lines == [line.rstrip() for line in lines]
    times = re.findall(r"^  [a-zA-Z].*? (\d+\.\d{3}) ms(?:  |$)", "\n".join(lines), re.MULTILINE)
    assert times[: len(trace.parts)] == [f"{(part.ended - part.begun) / MS:.3f}" for part in trace.parts]


@given(st.lists(st.integers(0, 10**9), min_size=12, max_size=12).map(sorted))
def test_axis(moments: list[int]) -> None:
    """Bars share one axis: each has at least one cell, within the axis, and none begins before the previous one."""
    names = [name for name in NAMES if name != "tls"]
    trace = _traced(*(Part(name, moments[2 * at], moments[2 * at + 1]) for at, name in enumerate(names)))
    rows = [line for line in _shown(trace).splitlines() if "█" in line]
    begun, ended = [row.index("█") for row in rows], [row.rindex("█") for row in rows]
    assert len(rows) == len(names)
    assert begun == sorted(begun)
    assert begun[0] == 20
    assert ended[-1] == max(ended) < 80 - len("0.000 ms")


@pytest.mark.parametrize(
    ("count", "outcome", "call"),
    [(1, Outcome.DNS, "getaddrinfo"), (2, Outcome.REFUSED, "socket, connect"), (4, Outcome.EOF, "recv, first byte")],
)
def test_failure(count: int, outcome: Outcome, call: str) -> None:
    """The part that failed is the last, is marked, and says why; the exit code follows."""
    whole = _whole()
    parts = whole.parts[:count]
    shown = _shown(replace(whole, parts=parts, ended=parts[-1].ended, outcome=outcome, detail="server: a reason"))
    marked = [line for line in shown.splitlines() if line.startswith("✗")]
    assert [line.split("  ")[0] for line in marked] == [f"✗ {call}"]
    assert f"    {outcome}: server: a reason\n" in shown
    assert shown.endswith(f"    {outcome}, exit code {outcome.exit_code}\n")
    assert [line for line in shown.splitlines() if "█" in line][-1] == marked[0]


def test_address_that_failed() -> None:
    """An address that failed is marked, although the next one worked."""
    first = Part("connect", 0, MS, "[::1]:1", "Connection refused")
    second = Part("connect", MS, 2 * MS, "10.0.0.1:1")
    shown = _shown(_traced(first, second))
    assert "    [::1]:1: Connection refused; trying the next address\n" in shown
    assert [line[0] for line in shown.splitlines() if "socket, connect" in line] == ["✗", " "]


@pytest.mark.parametrize(
    ("tls", "changes", "sentence"),
    [
        (False, {"target": "10.0.0.1:1", "host": "10.0.0.1"}, "already an address: no lookup"),
        (False, {"addresses": ["[::1]:1", "10.0.0.1:1"]}, "server is [::1] and 10.0.0.1"),
        (False, {"host": "", "remote": "unix:/s"}, "connected within the kernel: no packets"),
        (False, {"proxy_header": b"PROXY"}, "SYN, SYN-ACK, ACK with 10.0.0.1:1; then a PROXY header of 5 bytes"),
        (False, {"half_closed": False}, "the server had ended its side after its reply; then we ended ours"),
        (False, {"accepted_bytes": 2}, "the kernel accepted 2 of 5 bytes at once, and the rest later"),
        (False, {"received_bytes": 5000, "reads": 1000}, "5,000 bytes in 1,000 reads"),
        (True, {}, "5 bytes encrypted, and copied to the kernel, which sends them on its own"),
        (True, {}, "close notify, then FIN, both ways"),
        (True, {"tls": NAMELESS}, "TLSv1.3, AES; certificate of CN=server, valid until 2030-01-01T00:00:00Z"),
    ],
)
def test_sentences(tls: bool, changes: dict[str, object], sentence: str) -> None:  # noqa: FBT001
    """Each part says what happened, which is different with TLS."""
    shown = _shown(replace(_whole(tls=tls), **changes))  # type: ignore[arg-type]
    assert f"    {sentence}\n" in shown
    assert ("\n  close " in shown) is tls


def test_ascii() -> None:
    """A terminal without Unicode gets ASCII."""
    shown = _shown(replace(_whole(), outcome=Outcome.TIMEOUT, detail="late"), encoding="ascii")
    assert "10.0.0.2:40000 -> 10.0.0.1:1" in shown
    assert "\nx shutdown, close" in shown
    assert "##" in shown


def test_colours() -> None:
    """Colours do not change the text; a failed part is red, and all colours are legible on black and white."""
    good, bad = _whole(tls=True), replace(_whole(), outcome=Outcome.TIMEOUT, detail="late")
    for trace in (good, bad):
        coloured = _shown(trace, colours=True)
        assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == _shown(trace)
        used = {int(code) for codes in re.findall(r"\x1b\[([0-9;]+)m", coloured) for code in codes.split(";")}
        assert used <= {0, 1, 2, 31, 32, 35, 36, 94}
        assert (31 in used) is (trace is bad)
