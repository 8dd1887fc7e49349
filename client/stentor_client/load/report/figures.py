"""The words and figures that all reports of a load share."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from stentor_client.load.arrivals import Rate
from stentor_client.load.options import LoadOptions
from stentor_client.load.report.distribution import PERCENTILES, Distribution
from stentor_client.load.report.series import Slice
from stentor_client.load.report.summary import Summary
from stentor_client.output import wording

ADDRESS_HEADINGS = ("address", "connections", "attempts failed", "exchanges", "failed")
TIME_HEADINGS = (*(f"p{percent:g}" for percent in PERCENTILES), "max", "mean")


TimeRows = Mapping[str, Sequence[str]]  # a name, and cells that correspond to `TIME_HEADINGS`


def time_rows(summary: Summary) -> TimeRows:
    """Return the percentiles of whole exchanges."""
    times = {"response time": summary.response_time}
    if summary.options.rate:  # in a closed loop an exchange is due when it is sent
        times["service time"] = summary.service_time
    return {name: _cells(each) for name, each in times.items()}


def phase_rows(summary: Summary) -> TimeRows:
    """Return the percentiles of their phases."""
    return {phase: _cells(each) for phase, each in summary.phases.items()}


def _cells(times: Distribution) -> Sequence[str]:
    percentiles = [percentile_text(times, percent) for percent in PERCENTILES]
    return [*percentiles, wording.elapsed(times.most), wording.elapsed(times.mean)]


def percentile_text(times: Distribution, percent: float) -> str:
    """Return a percentile, or `-` if too few were measured: it would just be the longest."""
    beyond = round(times.count * (100 - percent) / 100, 6)
    return wording.elapsed(times.percentile(percent) if beyond >= 1 else None)


def described(options: LoadOptions) -> str:
    """Describe the kind of load in a line."""
    shape = " to ".join(f"{wording.rate(each)}/s" for each in _ends(options.rate)) or "closed loop"
    shape += " at random" if options.poisson else ""
    connections = wording.counted(options.connections, "fresh connection" if options.fresh else "connection")
    over = f"over {'at most ' if options.fresh else ''}{connections}{', TLS' if options.dial.tls else ''}"
    sizes = ", ".join(wording.rounded_size(size) for size in options.sizes)
    deep = f", {options.pipeline} deep" if options.pipeline > 1 else ""
    return f"{shape} {over}, {sizes}{deep}, {options.duration_seconds:g} s"


def failed_text(summary: Summary) -> str:
    """Say how many of the exchanges failed."""
    if not summary.exchanges:
        return "nothing was measured"
    if summary.good == summary.exchanges:
        return "every reply was right" + (", but more bytes followed" if summary.surplus else "")
    return f"{summary.exchanges - summary.good:,} failed, {wording.share(summary.error_rate)}"


def connections_text(summary: Summary) -> str:
    """Say how many connections there were besides the mean of those open at once."""
    lost = sum(summary.lost.values())
    how = f" ({', '.join(f'{count:,} {outcome}' for outcome, count in summary.lost.items())})" if lost else ""
    return f"on average, {summary.open_most:,} at most; {summary.opened:,} made, {lost:,} lost{how}"


def address_rows(summary: Summary) -> list[list[str]]:
    """Return the counts of each address, in the order of `ADDRESS_HEADINGS`."""
    return [[each if isinstance(each, str) else f"{each:,}" for each in row.values()] for row in summary.addresses]


def knee_text(knee: Slice) -> str:
    """Say from which rate on throughput no longer followed."""
    return (
        f"The knee: up to {wording.rate(knee.due_rate)}/s throughput followed the rate (p99 "
        f"{wording.elapsed(knee.p99_seconds)}); beyond, it fell behind."
    )


def option_values(options: LoadOptions) -> list[tuple[str, str]]:
    """Return every option that shaped the load, and its value, as on the command line."""
    values = {
        **asdict(options.dial),
        **asdict(options),
        "dial": None,
        "closed": options.rate is None,
        "rate": "..".join(f"{each:.12g}" for each in _ends(options.rate)) or None,
        "fresh": None,
        "connection": "fresh" if options.fresh else "persistent",
        "size": ",".join(map(str, options.sizes)),
        "sizes": None,
    }
    given = {name: value for name, value in values.items() if value is not None and value is not False}
    return [_option(name, value) for name, value in given.items()]


def _option(name: str, value: Any) -> tuple[str, str]:
    flag = "--" + name.removesuffix("_seconds").replace("_", "-")
    if name.endswith("_seconds"):
        return flag, f"{value:.12g}s"
    return flag, "" if value is True else str(value)


def _ends(rate: Rate | None) -> list[float]:
    """Return both ends of a ramp, one of a constant rate, and none of a closed loop."""
    return [*dict.fromkeys((rate.first, rate.last))] if rate else []
