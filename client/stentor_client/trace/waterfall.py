"""Draws a trace: a line for each part of the exchange, on one time axis.

Rich has no such chart: its bars all begin at zero.
"""

import textwrap
from collections.abc import Callable

from rich.console import Console
from rich.text import Text

from stentor_chassis.escaping import escaped
from stentor_client.output.wording import counted, milliseconds
from stentor_client.trace.tracer import SEND, Part, Trace
from stentor_client.verify.outcomes import Outcome, Phase

_CALLS: dict[str, str] = {  # the calls of a program, in order
    Phase.RESOLVE: "getaddrinfo",
    Phase.CONNECT: "socket, connect",
    Phase.TLS: "TLS handshake",
    SEND: "send",
    Phase.FIRST_BYTE: "recv, first byte",
    Phase.REPLY: "recv, last byte",
    Phase.CLOSE: "shutdown, close",
}
# Of the sixteen colours of every terminal, those that are legible on black and on white.
_COLOURS: dict[str, str] = {
    Phase.RESOLVE: "cyan",
    Phase.CONNECT: "cyan",
    Phase.TLS: "magenta",
    Phase.CLOSE: "bright_blue",
}
_WIDE = 110  # columns; narrower terminals have the explanation below the bar
_WIDE_BAR = 40
_LEAST_BAR = 8
_CALLS_WIDTH = max(map(len, _CALLS.values())) + 2
_TIME_WIDTH = 12


def draw(trace: Trace, console: Console) -> None:
    """Print the waterfall."""
    ascii_only = console.options.ascii_only
    wide = console.width >= _WIDE
    bar = _WIDE_BAR if wide else max(console.width - _CALLS_WIDTH - _TIME_WIDTH - 2, _LEAST_BAR)
    rows = []
    for part in trace.parts:
        failed = bool(part.error) or (part is trace.parts[-1] and trace.outcome is not Outcome.OK)
        mark = ("x " if ascii_only else "✗ ") if failed else "  "
        line = Text.assemble(
            (mark + _calls(part, trace).ljust(_CALLS_WIDTH), "bold red" if failed else ""),
            (_bar(part, trace, bar, "#" if ascii_only else "█"), "red" if failed else _COLOURS.get(part.name, "green")),
            _time(part.ended - part.begun),
        )
        rows.append((line, _failure(part, trace), "red") if failed else (line, _SENTENCES[part.name](trace), "dim"))
    blank = " " * bar
    between = Text(f"  {'between':{_CALLS_WIDTH}}{blank}{_time(trace.between)}")
    rows.append((between, "time in the client itself", "dim"))
    whole = Text(f"  {'total':{_CALLS_WIDTH}}{blank}{_time(trace.total)}", "bold")
    rows.append((whole, _whole(trace), "bold" if trace.outcome is Outcome.OK else "bold red"))

    console.print(_headline(trace, "->" if ascii_only else "→"), soft_wrap=True)
    for line, sentence, style in rows:
        indent = len(line) + 2 if wide else 4
        explanation = textwrap.wrap(escaped(sentence), max(console.width - indent, 20), break_on_hyphens=False)
        if wide:
            line.append("  ").append(explanation.pop(0), style)
        console.print(line, soft_wrap=True)
        for each in explanation:
            console.print(Text(" " * indent).append(each, style), soft_wrap=True)


def _headline(trace: Trace, arrow: str) -> Text:
    ends = f"{trace.local} {arrow} {trace.remote}" if trace.local else trace.remote
    return Text.assemble((escaped(trace.target), "bold"), escaped(f"  {ends}" if ends else ""), "\n")


def _calls(part: Part, trace: Trace) -> str:
    if part.name == Phase.CLOSE and trace.tls:
        return "close"
    return _CALLS[part.name]


def _bar(part: Part, trace: Trace, width: int, block: str) -> str:
    """Draw the part on the axis, at least one cell wide."""
    scale = width / max(trace.total, 1)
    first = min(int((part.begun - trace.begun) * scale), width - 1)
    last = max(round((part.ended - trace.begun) * scale), first + 1)
    return (" " * first + block * (last - first)).ljust(width)


def _time(nanoseconds: int) -> str:
    return milliseconds(nanoseconds).rjust(_TIME_WIDTH)


def _failure(part: Part, trace: Trace) -> str:
    if part is trace.parts[-1] and trace.outcome is not Outcome.OK:
        return f"{trace.outcome}: {trace.detail}"
    return f"{part.remote}: {part.error}; trying the next address"


def _whole(trace: Trace) -> str:
    if trace.outcome is Outcome.OK:
        return f"ok: {counted(trace.received_bytes, 'byte')} received, all correct"
    return f"{trace.outcome}, exit code {trace.outcome.exit_code}"


def _resolved(trace: Trace) -> str:
    hosts = [address.rpartition(":")[0] for address in trace.addresses]
    if trace.target in trace.addresses:
        return "already an address: no lookup"
    return f"{trace.host} is {' and '.join(hosts)}"


def _connected(trace: Trace) -> str:
    how = f"SYN, SYN-ACK, ACK with {trace.remote}" if trace.host else "connected within the kernel: no packets"
    return how + (f"; then a PROXY header of {counted(len(trace.proxy_header), 'byte')}" if trace.proxy_header else "")


def _agreed(trace: Trace) -> str:
    tls = trace.tls
    assert tls is not None  # noqa: S101 - else this part has failed
    owner = ", ".join(tls.names) or tls.subject
    return f"{tls.version}, {tls.cipher}; certificate of {owner}, valid until {tls.expires_at}"


def _sent(trace: Trace) -> str:
    if trace.accepted_bytes >= trace.message_bytes:
        first = "encrypted, and " if trace.tls else ""
        return f"{counted(trace.message_bytes, 'byte')} {first}copied to the kernel, which sends them on its own"
    accepted = f"{trace.accepted_bytes:,} of {counted(trace.message_bytes, 'byte')}"
    return f"the kernel accepted {accepted} at once, and the rest later"


def _waited(trace: Trace) -> str:
    rtt = trace.rtt_microseconds
    estimate = f"; the kernel estimates a round trip at {milliseconds(rtt * 1000)}" if rtt else ""
    return f"the way there, the server's work, and the way back{estimate}"


def _answered(trace: Trace) -> str:
    return f"{counted(trace.received_bytes, 'byte')} in {counted(trace.reads, 'read')}"


def _closed(trace: Trace) -> str:
    if trace.tls:
        return "close notify, then FIN, both ways"
    if not trace.half_closed:
        return "the server had ended its side after its reply; then we ended ours"
    return "we ended our side; the server answered everything, then ended its own"


_SENTENCES: dict[str, Callable[[Trace], str]] = {
    Phase.RESOLVE: _resolved,
    Phase.CONNECT: _connected,
    Phase.TLS: _agreed,
    SEND: _sent,
    Phase.FIRST_BYTE: _waited,
    Phase.REPLY: _answered,
    Phase.CLOSE: _closed,
}
