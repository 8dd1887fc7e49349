"""A load's report, as text."""

import sys
import textwrap
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.text import Text

from stentor_chassis.escaping import escaped
from stentor_client.load.report import figures
from stentor_client.load.report.summary import Summary
from stentor_client.load.report.thresholds import ThresholdResult
from stentor_client.output import terminal, wording
from stentor_client.verify.outcomes import Outcome

_WARNING = "magenta"  # yellow cannot be read on white

Row = tuple[Sequence[str], str]  # cells, and the style of the row


def show(summary: Summary, results: Sequence[ThresholdResult]) -> None:
    """Print the report to standard output: in colour and wrapped on a terminal, otherwise plain lines of any length."""

    def draw(console: Console) -> None:
        for line in lines(summary, results, console.width):
            console.print(line, soft_wrap=True)

    terminal.show(draw, pipe_columns=sys.maxsize)


def lines(summary: Summary, results: Sequence[ThresholdResult], width: int) -> Iterable[Text]:
    """Return the report line by line; sentences wrap at `width`, and tables are at most 78 characters wide."""
    yield Text(escaped(summary.options.dial.target), style="bold")
    yield from _sentence(figures.described(summary.options), "", width, indent="")
    for warning in summary.warnings:
        yield from _sentence(f"! {warning}", _WARNING, width)
    yield Text()
    yield from _table(_totals(summary), "<")
    yield Text()
    yield from _table(_times(summary), ">")
    if len(summary.addresses) > 1:
        yield Text()
        rows = (figures.ADDRESS_HEADINGS, *figures.address_rows(summary))
        yield from _table([(cells, "") for cells in rows], ">")
    knee = summary.knee
    if knee or results:
        yield Text()
    if knee is not None:
        yield from _sentence(figures.knee_text(knee), "bold", width, indent="")
    for result in results:
        verdict, style = ("met", "green") if result.met else ("not met", "bold red")
        yield Text(f"{result.limit_text}: {verdict}, measured {result.actual_text}", style=style)


def _totals(summary: Summary) -> Iterable[Row]:
    each_way = f"{wording.rounded_size(summary.bytes_per_second)}/s each way"
    yield ("throughput", f"{wording.rate(summary.throughput)} exchanges/s", each_way), ""
    yield ("exchanges", f"{summary.exchanges:,}", figures.failed_text(summary)), ""
    for outcome, count in summary.outcomes.items():
        if outcome is not Outcome.OK:
            yield ("", f"{count:,}", outcome), "bold red"
    if summary.options.rate:
        yield ("late sends", f"{summary.late:,}", "over 1 ms late, by the generator's fault"), ""
    yield ("connections", f"{wording.rate(summary.open_mean)} open", figures.connections_text(summary)), ""


def _times(summary: Summary) -> Iterable[Row]:
    yield ("", *figures.TIME_HEADINGS), "dim"
    for name, cells in figures.time_rows(summary).items():
        yield (name, *cells), "bold" if name == "response time" else ""
    for name, cells in figures.phase_rows(summary).items():
        yield (f"  {name}", *cells), "dim"


def _table(rows: Iterable[Row], others: str) -> Iterable[Text]:
    """Yield the rows with their cells aligned: the first to the left, the others as they are to be."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*(cells for cells, _ in rows), strict=True)]
    aligns = "<" + others * (len(widths) - 1)
    for cells, style in rows:
        padded = (f"{cell:{align}{width}}" for cell, align, width in zip(cells, aligns, widths, strict=True))
        yield Text("  ".join(padded).rstrip(), style=style)


def _sentence(sentence: str, style: str, width: int, indent: str = "  ") -> Iterable[Text]:
    for line in textwrap.wrap(sentence, width, subsequent_indent=indent, break_on_hyphens=False):
        yield Text(line, style=style)
