"""A load as a page: one file, with nothing from outside and no script."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from html import escape

from stentor_chassis.escaping import escaped
from stentor_chassis.page.document import document
from stentor_client import __version__
from stentor_client.load.report import figures
from stentor_client.load.report.figures import TIME_HEADINGS, TimeRows
from stentor_client.load.report.pictures import COLOURS, Picture, inline_svg, pictures
from stentor_client.load.report.summary import Summary
from stentor_client.load.report.thresholds import ThresholdResult
from stentor_client.output import wording
from stentor_client.verify.outcomes import Outcome


def page(summary: Summary, results: Sequence[ThresholdResult]) -> str:
    """Return the page."""
    phases = figures.phase_rows(summary)
    return document(
        "stentor_client.load.report",
        "report.html",
        title=f"Load on {escape(escaped(summary.options.dial.target))}",
        described=escape(figures.described(summary.options)),
        started=f"{datetime.fromisoformat(summary.started_at):%Y-%m-%d at %H:%M:%S} UTC",
        measured=f"{summary.measured_seconds:.4g} s",
        headline="\n".join(_headline(summary)),
        warnings="\n".join(_warnings(summary)),
        notes="\n".join(_notes(summary, results)),
        pictures="\n".join(_figure(picture, summary) for picture in pictures(summary)),
        outcomes=_outcomes(summary),
        connections=_connections(summary),
        times=_times(figures.time_rows(summary)),
        addresses=_addresses(summary),
        phases=f"<section>\n<h2>Phases</h2>\n{_times(phases)}\n</section>" if phases else "",
        options="\n".join(_options(summary)),
        version=escape(__version__),
    )


def _headline(summary: Summary) -> Iterable[str]:
    bad, times = summary.exchanges - summary.good, summary.response_time
    share = f"{wording.share(summary.error_rate)} of {summary.exchanges:,}"
    each_way = f"{wording.rounded_size(summary.bytes_per_second)}/s each way"
    for name, kind, figure, meaning in (
        ("Throughput", "", f"{wording.rate(summary.throughput)}/s", each_way),
        ("Response time, p50", "", figures.percentile_text(times, 50), "half of them were not slower"),
        ("Response time, p99", "", figures.percentile_text(times, 99), "one in a hundred was slower"),
        ("Failures", "bad" if bad else "", f"{bad:,}", share if summary.exchanges else "nothing was measured"),
    ):
        yield f'<div><dt>{name}</dt><dd class="figure {kind}">{escape(figure)}</dd>'
        yield f'<dd class="quiet">{escape(meaning)}</dd></div>'


def _warnings(summary: Summary) -> Iterable[str]:
    for warning in summary.warnings:
        text = re.sub(r"--[a-z-]+", r"<code>\g<0></code>", escape(warning))  # does not break an option at its hyphens
        yield f'<li class="warning"><b>Warning:</b> {text}</li>'


def _notes(summary: Summary, results: Sequence[ThresholdResult]) -> Iterable[str]:
    if summary.knee is not None:
        yield f"<li>{escape(figures.knee_text(summary.knee))}</li>"
    for result in results:
        kind, word = ("met", "✓ Met:") if result.met else ("missed", "✗ Not met:")
        limit, actual = escape(result.limit_text), escape(result.actual_text)
        yield f'<li class="{kind}"><b>{word}</b> <code>{limit}</code>, measured {actual}</li>'


def _figure(picture: Picture, summary: Summary) -> str:
    return (
        f"<figure><h2>{escape(picture.title)}</h2>\n{_themed(inline_svg(picture, summary), picture.title)}\n"
        f"<figcaption>{escape(picture.note)}</figcaption></figure>"
    )


def _themed(svg: str, title: str) -> str:
    """Return a picture in the page's colours, font and width, without metadata and ids."""
    for name, colour in COLOURS.items():
        svg = svg.replace(colour, f"var(--{name})")
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r" font-family: [^;\"]*;", "", svg)
    svg = re.sub(r' id="(?:figure|axes|patch|line2d|text|legend|matplotlib|xtick|ytick|\w+Collection)[\w.]*"', "", svg)
    view = re.search(r'viewBox="[^"]*"', svg)
    assert view is not None  # noqa: S101 - every picture has one
    return re.sub(r"<svg[^>]*>", f'<svg role="img" aria-label="{escape(title)}" {view[0]}>', svg, count=1)


def _times(rows: TimeRows) -> str:
    """Return a table with the percentiles below each other, which fits a phone."""
    return _table(["", *rows], zip(TIME_HEADINGS, *rows.values(), strict=True))


def _outcomes(summary: Summary) -> str:
    rows = [
        [
            outcome if outcome is Outcome.OK else f'<b class="bad">{outcome}</b>',
            f"{count:,}",
            wording.share(count / summary.exchanges),
        ]
        for outcome, count in summary.outcomes.items()
    ]
    return _table(["outcome", "exchanges", "share"], rows or [["none", "0", "-"]])


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = ["".join(f"<th>{cell}</th>" for cell in head)]
    lines += ["".join(f"<td>{cell}</td>" for cell in row) for row in rows]
    return "\n".join(("<table>", *(f"<tr>{line}</tr>" for line in lines), "</table>"))


def _connections(summary: Summary) -> str:
    opened, sends = wording.rate(summary.open_mean), wording.counted(summary.late, "send")
    late = f" {sends} over 1 ms late, by the generator's fault." if summary.options.rate else ""
    return f'<p class="quiet">Connections open: {opened} {escape(figures.connections_text(summary))}.{late}</p>'


def _addresses(summary: Summary) -> str:
    rows = figures.address_rows(summary)
    table = _table(figures.ADDRESS_HEADINGS, ([escape(escaped(cell)) for cell in row] for row in rows))
    return f"<section>\n<h2>Addresses</h2>\n{table}\n</section>" if len(rows) > 1 else ""


def _options(summary: Summary) -> Iterable[str]:
    for flag, value in figures.option_values(summary.options):
        yield f"<div><dt><code>{escape(flag)}</code></dt><dd><code>{escape(escaped(value))}</code></dd></div>"
