"""A load's report, as text."""

from collections.abc import Iterable, Sequence

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from stentor_client.load.distribution import PERCENTILES, Distribution
from stentor_client.load.options import LoadOptions
from stentor_client.load.quantities import bytes_text, rate_text, time_text
from stentor_client.load.summary import Summary
from stentor_client.load.thresholds import Judgement
from stentor_client.outcomes import Outcome


def show(summary: Summary, judgements: Sequence[Judgement]) -> None:
    """Print the report to standard output."""
    console = Console(highlight=False)
    console.print(Group(*_parts(summary, judgements)))


def _parts(summary: Summary, judgements: Sequence[Judgement]) -> Iterable[RenderableType]:
    yield Text(f"{summary.options.dial.target}   {described(summary.options)}", style="bold")
    yield Text()
    yield _totals(summary)
    yield Text()
    yield _times(summary)
    for warning in summary.warnings:
        yield Text()
        yield Text(f"! {warning}", style="yellow")
    knee = summary.knee
    if knee is not None:
        yield Text()
        yield Text(
            f"The knee: up to {rate_text(knee.due_rate)}/s throughput followed the rate "
            f"(p99 {time_text(knee.p99_seconds)}); beyond, it fell behind.",
            style="bold",
        )
    for judgement in judgements:
        yield Text()
        yield Text(str(judgement), style="green" if judgement.met else "bold red")


def described(options: LoadOptions) -> str:
    """Say in a line what kind of load it is."""
    if options.rate is None:
        shape = "closed loop"
    elif options.rate.first == options.rate.last:
        shape = f"{rate_text(options.rate.first)}/s"
    else:
        shape = f"{rate_text(options.rate.first)}/s growing to {rate_text(options.rate.last)}/s"
    shape += ", at random" if options.poisson else ""
    kind = "fresh connections, at most" if options.fresh else "connections:"
    sizes = ", ".join(bytes_text(size) for size in options.sizes)
    deep = f", {options.pipeline} deep" if options.pipeline > 1 else ""
    tls = ", TLS" if options.dial.tls else ""
    return f"{shape}, {kind} {options.connections}, {sizes}{deep}{tls}, {options.duration_seconds:g} s"


def _totals(summary: Summary) -> RenderableType:
    table = Table.grid(padding=(0, 3))
    table.add_row(
        "throughput",
        f"{rate_text(summary.throughput)} exchanges/s",
        f"{bytes_text(summary.bytes_per_second)}/s each way",
    )
    wrong = summary.exchanges - summary.good
    rate = f"{summary.error_rate:.4%} failed" if wrong else "every reply was right"
    table.add_row("exchanges", f"{summary.exchanges:,}", rate)
    for outcome, count in summary.outcomes.items():
        if outcome is not Outcome.OK:
            table.add_row("", Text(f"{count:,}", style="bold red"), Text(outcome, style="bold red"))
    if summary.options.rate:
        table.add_row("late sends", f"{summary.late:,}", "begun over 1 ms late by the generator")
    return table


def _times(summary: Summary) -> RenderableType:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("")
    for heading in (*(f"p{percent:g}" for percent in PERCENTILES), "max", "mean"):
        table.add_column(heading, justify="right", no_wrap=True)
    rows: list[tuple[str, Distribution, str]] = [("response time", summary.response_time, "bold")]
    if summary.options.rate:
        rows.append(("service time", summary.service_time, ""))
    rows += [(f"  {phase}", each, "dim") for phase, each in summary.phases.items()]
    for name, each, style in rows:
        values = [*(each.percentile(percent) for percent in PERCENTILES), each.most, each.mean]
        table.add_row(name, *map(time_text, values), style=style)
    return Padding(table, 0)
