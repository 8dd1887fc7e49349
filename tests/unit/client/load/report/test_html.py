"""A load as a page."""

import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser

import pytest

from stentor_client.load.options import LoadOptions
from stentor_client.load.report.html import page
from stentor_client.load.report.pictures import COLOURS
from stentor_client.load.report.thresholds import Thresholds
from stentor_client.wire.dialer import DialOptions
from unit.client.loads import (
    CLOSED,
    EXTREMES,
    HOSTILE,
    OPTIONS,
    RAMP,
    Making,
    all_failed,
    counted,
    ramp_with_knee,
    steady,
    summed_up,
)

VOID = {"meta", "link"}


class Page(HTMLParser):
    """What a page holds: its elements with their attributes, and its text; fails where an element is not closed."""

    def __init__(self, text: str) -> None:
        """Read it."""
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open an element."""
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take one that closes itself."""
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """Close an element, the last that was opened."""
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Take text, but for style sheets."""
        if "style" not in self._open:
            self.text += data

    def count(self, tag: str, **attributes: str) -> int:
        """Return how many such elements there are."""
        return sum(name == tag and attributes.items() <= found.items() for name, found in self.elements)


@pytest.mark.parametrize("making", EXTREMES)
@pytest.mark.parametrize("options", [OPTIONS, RAMP, CLOSED], ids=["rate", "ramp", "closed"])
def test_any_load(making: Making, options: LoadOptions) -> None:
    """Whatever came of a load, the page is well-formed, has its pictures, and shows no nan."""
    summary = making(options)
    made = Page(page(summary, Thresholds(max_error_rate=0.1, max_p50=1.0, max_p99=1.0).judge(summary)))
    assert made.count("svg", role="img") == 3 + (options.ramp and bool(summary.slices))
    assert re.findall(r"\b(?:nan|inf|None)\b", made.text) == []
    assert "$" not in made.text


def test_headline() -> None:
    """The figures that matter come first."""
    text = Page(page(steady(), [])).text
    for figure in (
        "100/s",
        "6.25 KiB/s each way",
        "51.0 ms",
        "100 ms",
        "0% of 1,000",
        "2026-02-03 at 04:05:06 UTC",
        "measured for 10 s",
    ):
        assert figure in text


def test_from_nowhere_else() -> None:
    """The page asks for nothing from outside, runs nothing, and forbids itself both."""
    text = page(ramp_with_knee(), [])
    made = Page(text)
    assert {tag for tag, _ in made.elements} & {"script", "img", "iframe", "object", "embed", "base", "form"} == set()
    references = [
        str(value)
        for _, found in made.elements
        for name, value in found.items()
        if name in {"href", "src", "xlink:href"}
    ]
    assert [each for each in references if not each.startswith(("#", "data:,"))] == []
    assert re.findall(r"url\((?!#)[^)]*\)|@import", text) == []
    (policy,) = [found for tag, found in made.elements if found.get("http-equiv") == "Content-Security-Policy"]
    assert str(policy["content"]).startswith("default-src 'none';")


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
    assert "<script" not in text
    assert "<b>&" not in text
    assert unescape(text).count(nasty) == 3  # title, heading, options
    assert nasty in Page(text).text


def test_notes() -> None:
    """Warnings, the knee and thresholds are said between the headline and the pictures, warnings first."""
    late = summed_up(counted([1.0] * 10, late=[5.0] * 10))
    text = page(late, Thresholds(max_p99=0.0001, max_error_rate=0.1).judge(late))
    made = Page(text)
    kinds = [str(found["class"]) for tag, found in made.elements if tag == "li"]
    assert kinds == ["warning", "met", "missed"]
    assert "--max-p99 0.1ms, measured 1.000 ms" in made.text
    assert "<code>--workers</code>" in text
    assert "The knee: up to 400/s" in Page(page(ramp_with_knee(), [])).text


def test_outcomes() -> None:
    """Every outcome that occurred has its row, count and share."""
    text = " ".join(re.sub(r"<[^>]*>", " ", page(all_failed(), [])).split())
    assert "timeout 1 0.1%" in text
    assert "mismatch 999 99.9%" in text
    assert "2 connections opened, 0 lost." in text


def test_late_sends() -> None:
    """A closed loop has no schedule that a send could be late for, and says nothing of it."""
    assert "0 sends begun over 1 ms late" in page(steady(), [])
    assert "sends begun" not in page(steady(CLOSED), [])


def test_any_target() -> None:
    """Whatever the target is called, the page can be written, and shows it."""
    written = page(steady(HOSTILE), []).encode().decode()
    assert "\x1b" not in written
    assert "unix:/$x_{$\\x1b[2J\\udcff\\n<日本>" in Page(written).text
