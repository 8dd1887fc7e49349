"""The progress of a load."""

import io
import os
from collections.abc import Sequence

import pytest
from rich.console import Console

from stentor_chassis.logs.log import LogOptions
from stentor_client.load.metrics import SCHEMA
from stentor_client.load.report.progress import Progress
from stentor_client.verify.outcomes import Outcome
from unit.client.loads import OPTIONS, counted

LOG = LogOptions(level="info", format="auto", fd=2)
NOTHING = [0] * SCHEMA.row_slots


def _terminal(width: int = 80, colours: str | None = None) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=width, color_system=colours)  # type: ignore[arg-type]


def _shown(*looks: tuple[float, Sequence[int]], width: int = 80, colours: str | None = None) -> str:
    """Return the line at the foot of the terminal after some looks."""
    paper = _terminal(width, colours)
    with Progress(OPTIONS, _terminal(width)) as progress:
        for seconds, totals in looks:
            progress.watch(seconds, totals)
        paper.print(progress._bar.get_renderable())
    return _written(paper).rstrip("\n")


def _written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize(
    ("seconds", "stage"),
    [
        (-0.05, "warming up, 00:12 to go"),
        (0.5, "warming up, 00:11 to go"),
        (1.5, "measuring, 00:10 to go"),
        (11.0, "waiting for replies"),
    ],
)
def test_stages(seconds: float, stage: str) -> None:
    """It shows the stage of the load, and how long it will last."""
    assert _shown((seconds, NOTHING)).startswith(stage)


def test_figures() -> None:
    """At 80 columns all figures fit; they stay if a look finds nothing new; a narrow terminal has one line as well."""
    looks = (1.1, counted([1.0] * 4379, {Outcome.TIMEOUT: 12})), (1.101, counted([1.0] * 4379, {Outcome.TIMEOUT: 12}))
    assert _shown(*looks).endswith("  43,790/s  p50 1.00 ms  p99 1.00 ms  12 failed")
    for width in (20, 40, 80):
        assert len(_shown(*looks, width=width)) <= width


def test_colours_are_of_the_terminal() -> None:
    """The bar has no colour of its own, which would suit only one background."""
    shown = _shown((5.0, NOTHING), colours="truecolor")
    assert ("\x1b[36m" in shown, "38;" in shown) == (True, False)


def test_no_terminal() -> None:
    """Without a terminal nothing is written, and workers log as they would."""
    console = Console(file=io.StringIO())
    with Progress(OPTIONS, console) as progress:
        assert (progress.shown, progress.log_options(LOG)) == (False, LOG)
        progress.watch(1.5, counted())
    assert not _written(console)


def test_logs_go_above() -> None:
    """On a terminal the log of the workers has lines of its own; its format is as chosen."""
    console = _terminal(40)
    with Progress(OPTIONS, console) as progress:
        options = progress.log_options(LOG)
        assert (options.level, options.format) == ("info", "console")
        assert progress.log_options(LogOptions(level="info", format="json", fd=2)).format == "json"
        os.write(options.fd, b"a line of a worker [bold] that is longer than the terminal\nanother \xff\n")
    lines = [line.strip() for line in _written(console).replace("\r", "\n").splitlines()]
    assert any(line.endswith("a line of a worker [bold] that is longer than the terminal") for line in lines)
    assert any(line.endswith("another \N{REPLACEMENT CHARACTER}") for line in lines)
