"""What every report says of a load, whether it is text or a page."""

from dataclasses import dataclass

from stentor_client.load.options import LoadOptions
from stentor_client.load.report.distribution import PERCENTILES, Distribution
from stentor_client.load.report.quantities import bytes_text, count_text, rate_text, share_text, time_text
from stentor_client.load.report.series import Slice
from stentor_client.load.report.summary import Summary

TIME_HEADINGS = (*(f"p{percent:g}" for percent in PERCENTILES), "max", "mean")


@dataclass(frozen=True, slots=True)
class TimeRow:
    """One row of the table of percentiles; its cells stand under `TIME_HEADINGS`."""

    name: str
    cells: tuple[str, ...]
    phase: bool  # a part of an exchange, not the whole


def time_rows(summary: Summary) -> list[TimeRow]:
    """Return the table of percentiles."""
    rows = [TimeRow("response time", _cells(summary.response_time), phase=False)]
    if summary.options.rate:  # in a closed loop an exchange is due when it is sent
        rows.append(TimeRow("service time", _cells(summary.service_time), phase=False))
    rows += [TimeRow(phase, _cells(each), phase=True) for phase, each in summary.phases.items()]
    return rows


def percentile_text(times: Distribution, percent: float) -> str:
    """Return a percentile, or `-` where so few were measured that it is none: then it would be the longest."""
    beyond = round(times.count * (100 - percent) / 100, 6)
    return time_text(times.percentile(percent) if beyond >= 1 else None)


def described(options: LoadOptions) -> str:
    """Say in a line what kind of load it is."""
    if options.rate is None:
        shape = "closed loop"
    elif options.rate.first == options.rate.last:
        shape = f"{rate_text(options.rate.first)}/s"
    else:
        shape = f"{rate_text(options.rate.first)}/s to {rate_text(options.rate.last)}/s"
    shape += " at random" if options.poisson else ""
    most = "at most " if options.fresh else ""
    over = f"over {most}{count_text(options.connections, 'fresh connection' if options.fresh else 'connection')}"
    sizes = ", ".join(bytes_text(size) for size in options.sizes)
    deep = f", {options.pipeline} deep" if options.pipeline > 1 else ""
    tls = ", TLS" if options.dial.tls else ""
    return f"{shape} {over}{tls}, {sizes}{deep}, {options.duration_seconds:g} s"


def failed_text(summary: Summary) -> str:
    """Say how many of the exchanges failed."""
    if not summary.exchanges:
        return "nothing was measured"
    if summary.good == summary.exchanges:
        return "every reply was right"
    return f"{summary.exchanges - summary.good:,} failed, {share_text(summary.error_rate)}"


def knee_text(knee: Slice) -> str:
    """Say where throughput stopped to follow the rate."""
    return (
        f"The knee: up to {rate_text(knee.due_rate)}/s throughput followed the rate (p99 "
        f"{time_text(knee.p99_seconds)}); beyond, it fell behind."
    )


def option_values(options: LoadOptions) -> list[tuple[str, str]]:
    """Return every option that shaped the load, as a command line would have it, with its value."""
    rate, dial = options.rate, options.dial
    shape = [("--closed", "")] if rate is None else [("--rate", _rate(rate.first, rate.last))]
    switches = [("--poisson", options.poisson), ("--tls", dial.tls)]
    given = [
        ("--tls-ca", dial.tls_ca),
        ("--tls-cert", dial.tls_cert),
        ("--tls-key", dial.tls_key),
        ("--tls-server-name", dial.tls_server_name),
        ("--proxy-protocol", dial.proxy_protocol),
    ]
    return [
        ("--target", dial.target),
        *shape,
        *((flag, "") for flag, on in switches if on),
        ("--connections", str(options.connections)),
        ("--connection", "fresh" if options.fresh else "persistent"),
        ("--size", ",".join(map(str, options.sizes))),
        ("--pipeline", str(options.pipeline)),
        ("--warmup", f"{_exact(options.warmup_seconds)}s"),
        ("--duration", f"{_exact(options.duration_seconds)}s"),
        ("--workers", str(options.workers)),
        ("--expect", options.expect),
        ("--timeout", f"{_exact(options.timeout_seconds)}s"),
        ("--connect-timeout", f"{_exact(dial.connect_timeout_seconds)}s"),
        *((flag, value) for flag, value in given if value is not None),
    ]


def _rate(first: float, last: float) -> str:
    return _exact(first) if first == last else f"{_exact(first)}..{_exact(last)}"


def _exact(number: float) -> str:
    return f"{number:.12g}"


def _cells(times: Distribution) -> tuple[str, ...]:
    percentiles = (percentile_text(times, percent) for percent in PERCENTILES)
    return (*percentiles, *map(time_text, (times.most if times.count else None, times.mean)))
