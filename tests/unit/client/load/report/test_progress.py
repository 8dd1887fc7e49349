"""A load as it goes."""

import io
import os

import pytest
from rich.console import Console

from stentor_chassis.logs.log import LogOptions
from stentor_client.load.metrics import SCHEMA
from stentor_client.load.report.progress import Progress
from stentor_client.verify.outcomes import Outcome
from unit.client.loads import OPTIONS, counted, slices

LOG = LogOptions(level="info", format="auto", fd=2)
NOTHING = [0] * SCHEMA.row_slots


def _terminal(width: int = 80) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=width, color_system=None)


def _shown(console: Console, progress: Progress) -> str:
    """Return what stands at the foot of the terminal."""
    paper = _terminal(console.width)
    paper.print(progress._bar.get_renderable())
    return _written(paper)


def _written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize(
    ("seconds", "stage"),
    [
        (-0.05, "warming up, 0:12 to go"),
        (0.5, "warming up, 0:11 to go"),
        (1.5, "measuring, 0:10 to go"),
        (11.0, "waiting for replies"),
        (14.0, "waiting for replies"),
    ],
)
def test_stages(seconds: float, stage: str) -> None:
    """It says where the load is, and how long it goes on."""
    console = _terminal()
    with Progress(OPTIONS, console) as progress:
        progress.watch(seconds, NOTHING, None)
        assert _shown(console, progress).startswith(stage)


@pytest.mark.parametrize("width", [20, 40, 80, 140])
def test_is_one_line(width: int) -> None:
    """However large its figures and narrow the terminal, it is one line."""
    console = _terminal(width)
    totals = counted(failed={Outcome.TIMEOUT: 1234})
    with Progress(OPTIONS, console) as progress:
        progress.watch(0.5, totals, slices((999_999.0, 999_999.0))[0])
        shown = _shown(console, progress).rstrip("\n")
    assert len(shown) <= width
    assert "\n" not in shown


def test_figures_fit_80_columns() -> None:
    """At 80 columns nothing that matters is cut off."""
    console = _terminal()
    with Progress(OPTIONS, console) as progress:
        progress.watch(1.5, counted(failed={Outcome.TIMEOUT: 12}), slices((43_791.0, 43_791.0))[0])
        assert " 43,791/s  p50 1.00 ms  p99 4.00 ms  12 failed" in _shown(console, progress)


def test_colours_are_of_the_terminal() -> None:
    """The bar has no colour of its own choice, which would suit one background only."""
    console = _terminal()
    paper = Console(file=io.StringIO(), force_terminal=True, width=80, color_system="truecolor")
    with Progress(OPTIONS, console) as progress:
        progress.watch(5.0, NOTHING, None)
        paper.print(progress._bar.get_renderable())
    assert "\x1b[36m" in _written(paper)
    assert "38;" not in _written(paper)


def test_keeps_the_last_figures() -> None:
    """A look at which nothing was new takes nothing away."""
    console = _terminal()
    with Progress(OPTIONS, console) as progress:
        progress.watch(1.5, NOTHING, slices((100.0, 100.0))[0])
        progress.watch(1.6, NOTHING, None)
        assert "100/s" in _shown(console, progress)


def test_no_terminal() -> None:
    """Where there is no terminal nothing is written, and workers log where they would."""
    console = Console(file=io.StringIO())
    with Progress(OPTIONS, console) as progress:
        assert LOG is progress.log_options(LOG)
        progress.watch(1.5, counted(), slices((100.0, 100.0))[0])
    assert not _written(console)


def test_logs_go_above() -> None:
    """What workers log on a terminal stands on lines of its own, as it was written."""
    console = _terminal(40)
    with Progress(OPTIONS, console) as progress:
        options = progress.log_options(LOG)
        assert (options.level, options.format) == ("info", "console")
        os.write(options.fd, b"a line of a worker [bold] that is longer than the terminal\nanother \xff\n")
    lines = [line.strip() for line in _written(console).replace("\r", "\n").splitlines()]
    assert any(line.endswith("a line of a worker [bold] that is longer than the terminal") for line in lines)
    assert any(line.endswith("another \N{REPLACEMENT CHARACTER}") for line in lines)


def test_chosen_format_stays() -> None:
    """Who asks for JSON gets it on a terminal as well."""
    with Progress(OPTIONS, _terminal()) as progress:
        chosen = LogOptions(level="info", format="json", fd=2)
        assert progress.log_options(chosen).format == "json"
