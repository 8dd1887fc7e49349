"""The command `load`."""

import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import click
import uvloop

from stentor_chassis.control.terminable import restore_sighup
from stentor_chassis.failure import INTERNAL_ERROR, OK, Failure
from stentor_chassis.kernel import check_calls
from stentor_chassis.logs.log import LogOptions
from stentor_chassis.options.option import build, log_options, option, wrong_value
from stentor_chassis.options.quantities import Duration, Share
from stentor_chassis.options.text import Path
from stentor_client.load import arrivals
from stentor_client.load.options import LoadOptions
from stentor_client.load.report.progress import Progress
from stentor_client.load.report.summary import Summary
from stentor_client.load.report.text import show
from stentor_client.load.report.thresholds import ThresholdResult, Thresholds
from stentor_client.load.run import Run
from stentor_client.options import Rate, Sizes, dial_options, dialing, exchange_options
from stentor_client.output.json_output import JsonOutput, json_option
from stentor_client.output.output_file import OutputFile
from stentor_client.output.wording import timestamp
from stentor_client.verify.outcomes import CHECK_FAILED, Outcome, worst_exit_code

DEFAULT_RATE = (1000.0, 1000.0)


class Ramp(click.ParamType[tuple[float, float]]):
    """A rate, or two with `..` between: at the first and at the last moment."""

    name = "rate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, float]:
        """Parse, or fail with what is accepted."""
        if isinstance(value, tuple):
            return value
        first, dots, last = str(value).partition("..")
        if dots and not (first and last):
            self.fail(f"{value!r} is not a ramp such as 1000..20000", param, ctx)
        begin = Rate().convert(first, param, ctx)
        return begin, Rate().convert(last, param, ctx) if dots else begin


@click.command()
@dial_options
@exchange_options
@option("--connections", type=click.IntRange(1, 100_000), default=50, help="Number of concurrent connections.")
@option(
    "--connection",
    type=click.Choice(["persistent", "fresh"]),
    default="persistent",
    help="Keep connections open, or open one for each exchange.",
)
@option(
    "--rate",
    type=Ramp(),
    metavar="RATE[..RATE]",
    help="Exchanges due per second, whether or not the server keeps up. 1000..20000 increases evenly. "
    "Defaults to 1000 without --closed.",
    show_default=False,
)
@option("--poisson", is_flag=True, help="Space exchanges at random, as many independent users do, not evenly.")
@option("--closed", is_flag=True, help="Send on each connection as soon as the last reply arrives, instead of --rate.")
@option("--duration", "duration_seconds", type=Duration(), default="10s", help="How long to measure.")
@option("--warmup", "warmup_seconds", type=Duration(zero=True), default="1s", help="How long to run first, unmeasured.")
@option("--size", "sizes", type=Sizes(), default="64", help="Message size; with commas, several in turn.")
@option("--pipeline", type=click.IntRange(1, 1024), default=1, help="Unanswered messages allowed per connection.")
@option("--workers", type=click.IntRange(1, 64), default=1, help="Number of processes that share the load.")
@option("--max-error-rate", type=Share(), help="Exit 6 if a larger share of exchanges fails, such as 0.1%.")
@option("--max-p50", type=Duration(), help="Exit 6 if the median response time exceeds this.")
@option("--max-p99", type=Duration(), help="Exit 6 if the p99 response time exceeds this.")
@json_option("all figures")
@option("--report", type=Path(), metavar="FILE", help="Write a report: .html, or only the pictures: .svg or .png.")
@log_options
def load(*, json: str | None, report: str | None, **values: Any) -> int:
    """Put the server under load, verify every reply, and report the response times.

    Times are response times: they run from the moment the schedule called for the send, so a server that stalls cannot
    hide it by delaying the generator. --closed measures how fast the server can go.

    Example: stentor-client load --target server:8080 --rate 5000 --duration 30s --max-p99 20ms
    """
    restore_sighup()
    check_calls()
    thresholds = build(Thresholds, values)
    log = build(LogOptions, values, fd=2)
    options = _load_options(values)
    output = JsonOutput(json)
    draw = _drawer(report) if report else None
    started_at = timestamp(datetime.now(UTC).replace(microsecond=0))
    with Progress(options) as progress:
        run = Run(options, progress.log_options(log), progress.watch if progress.shown else None)
        uvloop.run(run.run())
    summary = Summary(options, started_at, run.measured_seconds, run.totals, run.series.slices, run.addresses)
    results = thresholds.judge(summary.error_rate, summary.response_time)
    output.write(summary.as_json(results), lambda: show(summary, results))
    if draw:
        draw(summary, results)
    if run.failure:
        raise Failure(INTERNAL_ERROR, run.failure)
    if run.interrupted_by:
        return 128 + run.interrupted_by
    if not all(result.met for result in results):
        return CHECK_FAILED
    worst = worst_exit_code([*summary.outcomes, *[Outcome.EXTRA] * summary.surplus])
    failed = OK if thresholds.max_error_rate is not None else worst
    return failed or (CHECK_FAILED if summary.too_few_connections else OK)


def _load_options(values: dict[str, Any]) -> LoadOptions:
    """Check the options that depend on each other."""
    rate, closed = values.pop("rate"), values.pop("closed")
    if closed and rate:
        raise wrong_value("closed", "it sends as fast as replies arrive: leave out --rate")
    if closed and values["poisson"]:
        raise wrong_value("poisson", "--closed has no schedule that could be random")
    if values["workers"] > values["connections"]:
        raise wrong_value("workers", f"exceeds the {values['connections']} connections of --connections")
    fresh = values.pop("connection") == "fresh"
    if fresh and values["pipeline"] > 1:
        raise wrong_value("pipeline", "a fresh connection carries one message")
    return LoadOptions(
        dial=dialing(values), fresh=fresh, rate=None if closed else arrivals.Rate(*(rate or DEFAULT_RATE)), **values
    )


def _drawer(path: str) -> Callable[[Summary, Sequence[ThresholdResult]], None]:
    """Return the function that writes the report, after checking that it can."""
    kind = os.path.splitext(path)[1].lower()
    if kind not in {".html", ".svg", ".png"}:
        raise wrong_value("report", f"{path!r} does not end in .html, .svg or .png")
    try:
        # matplotlib is an extra, and slow to import.
        from stentor_client.load.report import html, pictures  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":
            raise
        raise wrong_value("report", "needs matplotlib: pip install 'stentor-client[report]'") from error
    file = OutputFile("report", path)

    def draw(summary: Summary, results: Sequence[ThresholdResult]) -> None:
        file.write(html.page(summary, results).encode() if kind == ".html" else pictures.sheet(summary, kind[1:]))

    return draw
