"""A load as a page."""

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from html import unescape

import pytest

from stentor_client.load.options import LoadOptions
from stentor_client.load.report.html import page
from stentor_client.load.report.pictures import COLOURS
from stentor_client.load.tally import Tally
from stentor_client.verify.outcomes import Outcome
from stentor_client.wire.dialer import DialOptions
from unit.client.loads import (
    CLOSED,
    EXTREMES,
    OPTIONS,
    RAMP,
    Making,
    all_failed,
    counted,
    judged,
    ramp_with_knee,
    spread,
    steady,
    summed_up,
)


def _body(page: str) -> ET.Element:
    """Return the body; fail if it is not well-formed."""
    return ET.fromstring(page[page.index("<body>") : page.index("</html>")].replace(">", ' xmlns:xlink="_">', 1))


def _text(page: str) -> str:
    """Return the text of the body."""
    return " ".join(" ".join(_body(page).itertext()).split())


@pytest.mark.parametrize("making", EXTREMES)
@pytest.mark.parametrize("options", [RAMP, CLOSED], ids=["ramp", "closed"])
def test_any_load(making: Making, options: LoadOptions) -> None:
    """The page of any load is well-formed, has its pictures, and shows no nan."""
    summary = making(options)
    made = page(summary, judged(summary, max_error_rate=0.1, max_p50=1.0, max_p99=1.0))
    assert len(list(_body(made).iter("svg"))) == 3 + (options.ramp and bool(summary.slices))
    assert re.findall(r"\b(?:nan|inf|None)\b|\$", _text(made)) == []


def test_figures() -> None:
    """The headline is first; every outcome has its row; sends can be late only for a schedule."""
    text = _text(page(steady(), []))
    for figure in ("100/s", "6.25 KiB/s each way", "51.0 ms", "0 % of 1,000", "2026-02-03 at 04:05:06 UTC"):
        assert figure in text
    assert "0 sends over 1 ms late" in text
    assert "sends over" not in page(steady(CLOSED), [])
    text = _text(page(all_failed(), []))
    for figure in ("timeout 1 0.1 %", "mismatch 999 99.9 %", "Connections open: 2 on average, 2 at most; 2 made, 0"):
        assert figure in text
    row = counted([1.0])
    Tally(row).lost(Outcome.RESET)
    assert "2 made, 1 lost (1 reset)." in page(summed_up(row), [])
    assert "Addresses" not in text
    assert "Addresses address connections attempts failed exchanges failed 10.0.0.1:8080 1 0 5 0" in _text(
        page(spread((1, 0, 5, 0), (1, 0, 5, 0)), [])
    )


def test_from_nowhere_else() -> None:
    """The page asks for nothing from outside, runs nothing, and forbids itself both."""
    text = page(ramp_with_knee(), [])
    assert re.findall(r"<(?:script|img|iframe|object|embed|base|form)\b|url\((?!#)[^)]*\)|@import", text) == []
    references = re.findall(r'(?:href|src)="([^"]*)"', text)
    assert [each for each in references if not each.startswith(("#", "data:,"))] == []
    assert 'http-equiv="Content-Security-Policy" content="default-src \'none\';' in text


def test_follows_light_and_dark() -> None:
    """No colour of the pictures is fixed, and every name of one has a value for both."""
    text = page(all_failed(), [])
    pictures = text.partition("<svg")[2]
    assert [colour for colour in COLOURS.values() if colour in pictures] == []
    light, _, dark = text.partition("@media screen and (prefers-color-scheme: dark)")
    for name in re.findall(r"var\((--[a-z]+)\)", text):
        assert f"{name}:" in light
        assert f"{name}:" in dark
    for name, colour in COLOURS.items():
        assert f"--{name}: {colour};" in light


def test_everything_is_escaped() -> None:
    """What comes from outside, such as a path of a socket, is text in the page and nothing else."""
    nasty = """unix:/tmp/<script>alert("1")</script>&amp;'$target${x}"""
    dial = DialOptions(target=nasty, connect_timeout_seconds=1.0, tls=True, tls_ca="<b>&\"'")
    text = page(steady(replace(OPTIONS, dial=dial)), [])
    assert ("<script" in text, "<b>&" in text) == (False, False)
    assert unescape(text).count(nasty) == 3  # title, heading, options
    assert nasty in _text(text)


def test_notes() -> None:
    """Warnings stand above all figures, the knee and thresholds between the headline and the pictures."""
    late = summed_up(counted([1.0] * 10, late=[5.0] * 10))
    text = page(late, judged(late, max_p99=0.0001, max_error_rate=0.1))
    assert [item.get("class") for item in _body(text).iter("li")] == ["warning", "met", "missed"]
    assert text.index('class="warning"') < text.index('class="headline"') < text.index('class="met"')
    assert "--max-p99 0.1ms , measured 1.000 ms" in _text(text)
    assert "<code>--workers</code>" in text
    assert "The knee: up to 400/s" in _text(page(ramp_with_knee(), []))
