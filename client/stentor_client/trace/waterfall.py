"""Shows a trace in a terminal: a line for each part of the exchange, on one axis of time."""

import textwrap
from collections.abc import Callable

from rich.console import Console
from rich.text import Text

from stentor_chassis.escaping import escaped
from stentor_client.trace.tracer import SEND, Part, Trace
from stentor_client.verify.outcomes import Outcome, Phase

_CALLS: dict[str, str] = {  # what a program calls, in the order in which it does
    Phase.RESOLVE: "getaddrinfo",
    Phase.CONNECT: "socket, connect",
    Phase.TLS: "TLS handshake",
    SEND: "send",
    Phase.FIRST_BYTE: "recv, first byte",
    Phase.REPLY: "recv, last byte",
    Phase.CLOSE: "shutdown, close",
}
# Those of the sixteen that every terminal has which can be read on black and on white.
_COLOURS: dict[str, str] = {
    Phase.RESOLVE: "cyan",
    Phase.CONNECT: "cyan",
    Phase.TLS: "magenta",
    Phase.CLOSE: "bright_blue",
}
_WIDE = 110  # columns; from here on what happened stands beside the bar, and else below it
_WIDE_BAR = 40
_LEAST_BAR = 8
_CALLS_WIDTH = max(map(len, _CALLS.values())) + 2
_TIME_WIDTH = 12


def show(trace: Trace, console: Console) -> None:
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
            _milliseconds(part.ended - part.begun),
        )
        rows.append((line, _failure(part, trace), "red") if failed else (line, _sentence(part, trace), "dim"))
    blank = " " * bar
    between = Text(f"  {'between':{_CALLS_WIDTH}}{blank}{_milliseconds(trace.between)}")
    rows.append((between, "what the client itself did in between", "dim"))
    whole = Text(f"  {'in all':{_CALLS_WIDTH}}{blank}{_milliseconds(trace.total)}", "bold")
    rows.append((whole, _whole(trace), "bold" if trace.outcome is Outcome.OK else "bold red"))

    console.print(_headline(trace, "->" if ascii_only else "→"), soft_wrap=True)
    for line, sentence, style in rows:
        indent = len(line) + 2 if wide else 4
        told = textwrap.wrap(escaped(sentence), max(console.width - indent, 20), break_on_hyphens=False)
        if wide:
            line.append("  ").append(told.pop(0), style)
        console.print(line, soft_wrap=True)
        for each in told:
            console.print(Text(" " * indent).append(each, style), soft_wrap=True)


def _headline(trace: Trace, arrow: str) -> Text:
    ends = f"{trace.local} {arrow} {trace.remote}" if trace.local else trace.remote
    return Text.assemble((escaped(trace.target), "bold"), escaped(f"  {ends}" if ends else ""), "\n")


def _calls(part: Part, trace: Trace) -> str:
    if part.name == Phase.CLOSE and trace.tls:
        return "close"
    return _CALLS[part.name]


def _bar(part: Part, trace: Trace, width: int, block: str) -> str:
    """Return the part's place on the axis, one cell wide at least."""
    scale = width / max(trace.total, 1)
    first = min(int((part.begun - trace.begun) * scale), width - 1)
    last = max(round((part.ended - trace.begun) * scale), first + 1)
    return (" " * first + block * (last - first)).ljust(width)


def _milliseconds(nanoseconds: int) -> str:
    return f"{nanoseconds / 1e6:,.3f} ms".rjust(_TIME_WIDTH)


def _failure(part: Part, trace: Trace) -> str:
    if part is trace.parts[-1] and trace.outcome is not Outcome.OK:
        return f"{trace.outcome}: {trace.detail}"
    return f"{part.remote}: {part.error}; the next address is tried"


def _whole(trace: Trace) -> str:
    if trace.outcome is Outcome.OK:
        return f"ok: {_bytes(trace.received_bytes)} came back, every one right"
    return f"{trace.outcome}, exit code {trace.outcome.exit_code}"


def _sentence(part: Part, trace: Trace) -> str:
    """Say what happened."""
    return _SENTENCES[part.name](trace)


def _resolved(trace: Trace) -> str:
    hosts = [address.rpartition(":")[0] for address in trace.addresses]
    if trace.target in trace.addresses:
        return "it is an address already: nobody is asked"
    return f"{trace.host} is {' and '.join(hosts)}"


def _connected(trace: Trace) -> str:
    how = f"SYN, SYN-ACK, ACK with {trace.remote}" if trace.host else "joined within the kernel: no packets"
    return how + (f"; then a PROXY header of {_bytes(len(trace.proxy_header))}" if trace.proxy_header else "")


def _agreed(trace: Trace) -> str:
    tls = trace.tls
    assert tls is not None  # noqa: S101 - else this part has failed
    whose = ", ".join(tls.names) or tls.subject
    return f"{tls.version}, {tls.cipher}; certificate of {whose}, valid until {tls.expires_at}"


def _sent(trace: Trace) -> str:
    if trace.taken_bytes >= trace.message_bytes:
        first = "encrypted, and " if trace.tls else ""
        return f"{_bytes(trace.message_bytes)} {first}copied to the kernel, which sends them on its own"
    taken = f"{trace.taken_bytes:,} of {_bytes(trace.message_bytes)}"
    return f"the kernel took {taken} at once, and the rest while the reply came"


def _waited(trace: Trace) -> str:
    rtt = trace.rtt_microseconds
    known = f"; the kernel's estimate of a round trip is {rtt / 1000:,.3f} ms" if rtt else ""
    return f"the way there, the server's work, and the way back{known}"


def _answered(trace: Trace) -> str:
    return f"{_bytes(trace.received_bytes)} in {'1 read' if trace.reads == 1 else f'{trace.reads:,} reads'}"


def _closed(trace: Trace) -> str:
    if trace.tls:
        return "close notify, then FIN, both ways"
    return "we ended our side; the server had answered all, and ended its own"


_SENTENCES: dict[str, Callable[[Trace], str]] = {
    Phase.RESOLVE: _resolved,
    Phase.CONNECT: _connected,
    Phase.TLS: _agreed,
    SEND: _sent,
    Phase.FIRST_BYTE: _waited,
    Phase.REPLY: _answered,
    Phase.CLOSE: _closed,
}


def _bytes(count: int) -> str:
    return "1 byte" if count == 1 else f"{count:,} bytes"
