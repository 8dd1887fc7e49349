"""`load`: how fast, and how fast for whom."""

import asyncio
import os
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from stentor_chassis.control.terminable import heed_hangup
from stentor_chassis.failure import INTERNAL_ERROR, OK, Failure
from stentor_chassis.options.option import log_options, option, wrong_value
from stentor_chassis.options.quantities import Duration
from stentor_chassis.options.text import Path
from stentor_client.options import (
    Rate,
    Sizes,
    dial_options,
    exchange_options,
    taken_dial_options,
)
from stentor_client.verify.outcomes import CHECK_FAILED, worst_exit_code

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from stentor_chassis.logs.log import LogOptions
    from stentor_client.load.options import LoadOptions
    from stentor_client.load.report.summary import Summary
    from stentor_client.load.report.thresholds import Judgement
    from stentor_client.load.run import Run

DEFAULT_RATE = (1000.0, 1000.0)
_MOST_CONNECTIONS = 100_000


class Ramp(click.ParamType[tuple[float, float]]):
    """A rate, or two of them with `..` between: from the first to the last moment."""

    name = "rate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, float]:
        """Parse, or fail with what is wanted."""
        if isinstance(value, tuple):
            return value
        first, dots, last = str(value).partition("..")
        begin = Rate().convert(first, param, ctx)
        return begin, Rate().convert(last, param, ctx) if dots else begin


class Share(click.ParamType[float]):
    """A part of a whole, such as `0.1%` or `0.001`."""

    name = "share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Parse, or fail with what is wanted."""
        match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(%?)", str(value))
        share = float(match[1]) / (100 if match[2] else 1) if match else 2.0
        if share > 1:
            self.fail(f"{value!r} is not a share such as 0.1% or 0.001", param, ctx)
        return share


@click.command()
@dial_options
@exchange_options
@option("--connections", type=click.IntRange(1, _MOST_CONNECTIONS), default=50, help="How many at the same time.")
@option(
    "--connection",
    type=click.Choice(["persistent", "fresh"]),
    default="persistent",
    help="Keep the connections, or open one for each exchange.",
)
@option(
    "--rate",
    type=Ramp(),
    metavar="RATE[..RATE]",
    help="Exchanges per second that are due, whether or not the server keeps up; 1000..20000 grows evenly. "
    "1000 where neither this nor --closed is given.",
    show_default=False,
)
@option("--poisson", is_flag=True, help="Let them come at random, as from many independent users, not evenly spaced.")
@option("--closed", is_flag=True, help="Send on each connection as soon as the reply is there, instead of --rate.")
@option("--duration", type=Duration(), default="10s", help="How long to measure.")
@option("--warmup", type=Duration(zero=True), default="1s", help="How long to run before that, unmeasured.")
@option("--size", type=Sizes(), default="64", help="Message size; several with commas between them are taken in turn.")
@option("--pipeline", type=click.IntRange(1, 1024), default=1, help="Messages that one connection may have unanswered.")
@option("--workers", type=click.IntRange(1, 64), default=1, help="Processes that share the load.")
@option("--max-error-rate", type=Share(), help="Exit with 6 where more of the exchanges fail, such as 0.1%.")
@option("--max-p50", type=Duration(), help="Exit with 6 where the median of the response time is longer.")
@option("--max-p99", type=Duration(), help="Exit with 6 where 1 % of the exchanges take longer.")
@option("--json", type=Path(), metavar="FILE", help="Write all figures to this file; - is standard output.")
@option("--report", type=Path(), metavar="FILE", help="Draw a report: .html, or the pictures alone as .svg or .png.")
@log_options
def load(**options: Any) -> int:
    """Put the server under load, verify every reply, and tell how long they took.

    Times are response times: from the moment the schedule called for the send, so that a server that stands still
    cannot hide it by keeping the generator waiting. --closed measures how fast the server can go.

    Example: stentor-client load --target server:8080 --rate 5000 --duration 30s --max-p99 20ms
    """
    heed_hangup()
    from stentor_client.load.report.thresholds import Thresholds
    from stentor_client.output.json_output import JsonOutput

    thresholds = Thresholds(**{name: options.pop(name) for name in ("max_error_rate", "max_p50", "max_p99")})
    path, report = options.pop("json"), options.pop("report")
    log = _log_options(options)
    load_options = _load_options(options)
    json = JsonOutput(path)
    draw = _drawer(report) if report else None
    summary, run = _carry_out(load_options, log)
    judgements = thresholds.judge(summary)
    try:
        json.write(summary.as_json(judgements))
        if draw:
            draw(summary, judgements)
    finally:  # a full disk does not cost the figures
        if not json.in_place_of_text:
            from stentor_client.load.report.text import show

            show(summary, judgements)
    if run.failure:
        raise Failure(INTERNAL_ERROR, run.failure)
    if run.interrupted_by:
        return 128 + run.interrupted_by
    if not all(judgement.met for judgement in judgements):
        return CHECK_FAILED
    return OK if thresholds.max_error_rate is not None else worst_exit_code(summary.outcomes)


def _log_options(options: dict[str, Any]) -> "LogOptions":
    from stentor_chassis.logs.log import LogOptions

    return LogOptions(level=options.pop("log_level"), format=options.pop("log_format"), fd=2)


def _load_options(options: dict[str, Any]) -> "LoadOptions":
    from stentor_client.load.arrivals import Rate as ArrivalRate
    from stentor_client.load.options import LoadOptions

    rate = options.pop("rate")
    if options.pop("closed"):
        if rate:
            raise wrong_value("closed", "it sends as fast as replies come: leave out --rate")
        if options["poisson"]:
            raise wrong_value("poisson", "--closed has no schedule that could be random")
    else:
        rate = rate or DEFAULT_RATE
    if options["workers"] > options["connections"]:
        raise wrong_value("workers", f"more than the {options['connections']} connections of --connections")
    fresh = options.pop("connection") == "fresh"
    if fresh and options["pipeline"] > 1:
        raise wrong_value("pipeline", "a fresh connection carries one message")
    return LoadOptions(
        dial=taken_dial_options(options),
        timeout_seconds=options.pop("timeout"),
        fresh=fresh,
        rate=ArrivalRate(*rate) if rate else None,
        sizes=options.pop("size"),
        warmup_seconds=options.pop("warmup"),
        duration_seconds=options.pop("duration"),
        **options,
    )


def _carry_out(options: "LoadOptions", log: "LogOptions") -> "tuple[Summary, Run]":
    from stentor_client.load.report.progress import Progress
    from stentor_client.load.report.summary import Summary
    from stentor_client.load.run import Run

    started_at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    with Progress(options) as progress:
        run = Run(options, progress.log_options(log), progress.watch if progress.shown else None)
        asyncio.run(run.run())
    return Summary(options, started_at, run.measured_seconds, run.totals, run.series.slices), run


def _drawer(path: str) -> "Callable[[Summary, Sequence[Judgement]], None]":
    """Return what draws the report, after seeing that it will be able to."""
    from stentor_client.output.output_file import OutputFile

    kind = os.path.splitext(path)[1].lower()
    if kind not in {".html", ".svg", ".png"}:
        raise wrong_value("report", f"{path!r} does not end in .html, .svg or .png")
    try:
        from stentor_client.load.report import html, pictures
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":
            raise
        raise wrong_value("report", "needs matplotlib: pip install 'stentor-client[report]'") from error
    file = OutputFile("report", path)

    def draw(summary: "Summary", judgements: "Sequence[Judgement]") -> None:
        file.write(html.page(summary, judgements).encode() if kind == ".html" else pictures.sheet(summary, kind[1:]))

    return draw
