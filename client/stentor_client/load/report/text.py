"""A load's report, as text."""

import sys
import textwrap
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.text import Text

from stentor_client.load.report.figures import TIME_HEADINGS, described, failed_text, knee_text, time_rows
from stentor_client.load.report.quantities import bytes_text, rate_text
from stentor_client.load.report.summary import Summary
from stentor_client.load.report.thresholds import ThresholdResult
from stentor_client.output import terminal
from stentor_client.verify.outcomes import Outcome

_GAP = "  "
_WARNING = "magenta"  # yellow cannot be read on white

Cells = Sequence[str]


def show(summary: Summary, results: Sequence[ThresholdResult]) -> None:
    """Print the report to standard output: in colour and wrapped on a terminal, else plain lines of any length.

    Raises:
        Failure: where it cannot be written, or nobody reads it any more.

    """

    def draw(console: Console) -> None:
        for line in lines(summary, results, console.width):
            console.print(line, soft_wrap=True)

    terminal.show(draw, pipe_columns=sys.maxsize)


def lines(summary: Summary, results: Sequence[ThresholdResult], width: int) -> Iterable[Text]:
    """Return the report line by line; sentences are broken to `width`, and tables are 78 characters wide at most."""
    yield Text(summary.options.dial.target, style="bold")
    yield from _sentence(described(summary.options), "", width, indent="")
    yield Text()
    yield from _totals(summary)
    yield Text()
    yield from _times(summary)
    warnings, knee = summary.warnings, summary.knee
    if warnings or knee or results:
        yield Text()
    for warning in warnings:
        yield from _sentence(f"! {warning}", _WARNING, width)
    if knee is not None:
        yield from _sentence(knee_text(knee), "bold", width, indent="")
    for result in results:
        yield Text(str(result), style="green" if result.met else "bold red")


def _totals(summary: Summary) -> Iterable[Text]:
    throughput = f"{rate_text(summary.throughput)} exchanges/s"
    rows: list[tuple[str, str, str, str]] = [
        ("throughput", throughput, f"{bytes_text(summary.bytes_per_second)}/s each way", ""),
        ("exchanges", f"{summary.exchanges:,}", failed_text(summary), ""),
    ]
    rows += [
        ("", f"{count:,}", outcome, "bold red")
        for outcome, count in summary.outcomes.items()
        if outcome is not Outcome.OK
    ]
    if summary.options.rate:
        rows.append(("late sends", f"{summary.late:,}", "begun over 1 ms late by the generator", ""))
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    for name, value, meaning, style in rows:
        line = Text(f"{name:<{widths[0]}}{_GAP}")
        yield line.append(f"{value:<{widths[1]}}{_GAP}{meaning}", style=style)


def _times(summary: Summary) -> Iterable[Text]:
    rows = time_rows(summary)
    table: list[tuple[Cells, str]] = [(("", *TIME_HEADINGS), "dim")]
    for row in rows:
        style = "dim" if row.phase else "bold" if row is rows[0] else ""
        table.append((("  " * row.phase + row.name, *row.cells), style))
    widths = [max(len(cells[column]) for cells, _ in table) for column in range(len(TIME_HEADINGS) + 1)]
    for (name, *values), style in table:
        right = (f"{value:>{width}}" for value, width in zip(values, widths[1:], strict=True))
        yield Text(_GAP.join((f"{name:<{widths[0]}}", *right)), style=style)


def _sentence(sentence: str, style: str, width: int, indent: str = "  ") -> Iterable[Text]:
    for line in textwrap.wrap(sentence, width, subsequent_indent=indent, break_on_hyphens=False):
        yield Text(line, style=style)
