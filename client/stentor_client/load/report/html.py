"""A load as a page of its own: one file, nothing from outside, and no script."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from html import escape
from importlib.resources import files
from string import Template

from stentor_chassis.escaping import escaped
from stentor_client import __version__
from stentor_client.load.report.figures import (
    TIME_HEADINGS,
    TimeRow,
    described,
    knee_text,
    option_values,
    percentile_text,
    time_rows,
)
from stentor_client.load.report.pictures import COLOURS, Picture, inline_svg, pictures
from stentor_client.load.report.quantities import bytes_text, count_text, rate_text, share_text
from stentor_client.load.report.summary import Summary
from stentor_client.load.report.thresholds import ThresholdResult
from stentor_client.verify.outcomes import Outcome


def page(summary: Summary, results: Sequence[ThresholdResult]) -> str:
    """Return the page."""
    template = Template(files("stentor_client.load.report").joinpath("report.html").read_text(encoding="utf-8"))
    return template.substitute(
        target=escape(escaped(summary.options.dial.target)),
        described=escape(described(summary.options)),
        started=f"{datetime.fromisoformat(summary.started_at):%Y-%m-%d at %H:%M:%S} UTC",
        measured=f"{summary.measured_seconds:.4g} s",
        headline="\n".join(_headline(summary)),
        notes="\n".join(_notes(summary, results)),
        pictures="\n".join(_figure(picture, summary) for picture in pictures(summary)),
        outcomes="\n".join(_outcomes(summary)),
        connections=_connections(summary),
        times="\n".join(_times([row for row in time_rows(summary) if not row.phase])),
        phases=_phases(summary),
        options="\n".join(_options(summary)),
        version=escape(__version__),
    )


def _headline(summary: Summary) -> Iterable[str]:
    times = summary.response_time
    bad = summary.exchanges - summary.good
    share = (
        f"{share_text(summary.error_rate)} of {summary.exchanges:,}" if summary.exchanges else "nothing was measured"
    )
    for name, figure, meaning in (
        ("Throughput", f"{rate_text(summary.throughput)}/s", f"{bytes_text(summary.bytes_per_second)}/s each way"),
        ("Response time, p50", percentile_text(times, 50), "half of them took no longer"),
        ("Response time, p99", percentile_text(times, 99), "one in a hundred took longer"),
        ("Failures", f"{bad:,}", share),
    ):
        kind = "figure bad" if name == "Failures" and bad else "figure"
        yield f'<div><dt>{name}</dt><dd class="{kind}">{escape(figure)}</dd>'
        yield f'<dd class="quiet">{escape(meaning)}</dd></div>'


def _notes(summary: Summary, results: Sequence[ThresholdResult]) -> Iterable[str]:
    for warning in summary.warnings:
        yield f'<li class="warning"><b>Warning:</b> {_prose(warning)}</li>'
    if summary.knee is not None:
        yield f"<li>{escape(knee_text(summary.knee))}</li>"
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
    """Return a picture in the page's colours, font and width, without what only a file of its own needs."""
    for name, colour in COLOURS.items():
        svg = svg.replace(colour, f"var(--{name})")
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r" font-family: [^;\"]*;", "", svg)
    svg = re.sub(r' id="(?:figure|axes|patch|line2d|text|legend|matplotlib|xtick|ytick|\w+Collection)[\w.]*"', "", svg)
    view = re.search(r'viewBox="[^"]*"', svg)
    assert view is not None  # noqa: S101 - every picture has one
    return re.sub(r"<svg[^>]*>", f'<svg role="img" aria-label="{escape(title)}" {view[0]}>', svg, count=1)


def _times(rows: Sequence[TimeRow]) -> Iterable[str]:
    """Yield the rows of a table with the percentiles one below the other: so it fits a telephone."""
    yield f"<tr><th></th>{''.join(f'<th>{escape(row.name)}</th>' for row in rows)}</tr>"
    for number, heading in enumerate(TIME_HEADINGS):
        yield f"<tr><td>{heading}</td>{''.join(f'<td>{escape(row.cells[number])}</td>' for row in rows)}</tr>"


def _phases(summary: Summary) -> str:
    rows = [row for row in time_rows(summary) if row.phase]
    table = "\n".join(_times(rows))
    return f"<section>\n<h2>Phases</h2>\n<table>\n{table}\n</table>\n</section>" if rows else ""


def _outcomes(summary: Summary) -> Iterable[str]:
    yield "<tr><th>outcome</th><th>exchanges</th><th>share</th></tr>"
    for outcome, count in summary.outcomes.items():
        name = escape(outcome) if outcome is Outcome.OK else f'<b class="bad">{escape(outcome)}</b>'
        yield f"<tr><td>{name}</td><td>{count:,}</td><td>{share_text(count / summary.exchanges)}</td></tr>"
    if not summary.outcomes:
        yield "<tr><td>none</td><td>0</td><td>-</td></tr>"


def _connections(summary: Summary) -> str:
    lost = sum(summary.lost.values())
    how = f", of which {', '.join(f'{count:,} {outcome}' for outcome, count in summary.lost.items())}" if lost else ""
    late = f" {count_text(summary.late, 'send')} begun over 1 ms late by the generator." if summary.options.rate else ""
    return f'<p class="quiet">{count_text(summary.opened, "connection")} opened, {lost:,} lost{escape(how)}.{late}</p>'


def _options(summary: Summary) -> Iterable[str]:
    for flag, value in option_values(summary.options):
        yield f"<div><dt><code>{escape(flag)}</code></dt><dd><code>{escape(escaped(value))}</code></dd></div>"


def _prose(sentence: str) -> str:
    """Return a sentence whose options are not broken where a line ends."""
    return re.sub(r"--[a-z-]+", r"<code>\g<0></code>", escape(sentence))
