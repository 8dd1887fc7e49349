"""The progress of a load, on a terminal."""

import math
import os
import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar
from rich.table import Column
from rich.text import Text

from stentor_chassis.counters.histogram import NANOSECONDS
from stentor_chassis.logs.log import LogOptions
from stentor_client.load.options import LoadOptions
from stentor_client.load.report.series import Series, failures
from stentor_client.output import wording

BAR_WIDTH = 10


class Progress:
    """A line at the foot of the terminal, on standard error; nothing if that is not a terminal."""

    def __init__(self, options: LoadOptions, console: Console | None = None) -> None:
        """Show a load with these options."""
        self._console = console = console or Console(stderr=True)
        self._options = options
        self._log_fd = -1
        self._reader = threading.Thread(target=self._show_log, name="log", daemon=True)
        self._series = Series()
        self._bar = Bar(
            TextColumn("{task.description}"),
            # On a light terminal, the library's own grey is darker than the part that is done.
            BarColumn(bar_width=BAR_WIDTH, style="dim", complete_style="cyan", finished_style="cyan"),
            # A narrow terminal shows less of it, and no second line.
            TextColumn("{task.fields[figures]}", table_column=Column(no_wrap=True, overflow="crop")),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("connecting", total=options.whole_seconds, figures="")

    def __enter__(self) -> Self:
        """Begin to show."""
        self._bar.start()
        if self._console.is_terminal:
            self._log_end, self._log_fd = os.pipe()
            self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the line: only the report stays."""
        if self._log_fd >= 0:
            os.close(self._log_fd)
            self._reader.join()
        self._bar.stop()

    @property
    def shown(self) -> bool:
        """Whether there is a terminal."""
        return self._console.is_terminal

    def log_options(self, options: LogOptions) -> LogOptions:
        """Return the options with which the workers log above this line, not into it."""
        if self._log_fd < 0:
            return options
        return replace(options, fd=self._log_fd, format="console" if options.format == "auto" else options.format)

    def watch(self, seconds: float, totals: Sequence[int]) -> None:
        """Show the stage of the load, and the figures since the last look."""
        options = self._options
        self._series.look(int((seconds - options.warmup_seconds) * NANOSECONDS), totals)
        if seconds >= options.whole_seconds:
            description = "waiting for replies"
        else:
            stage = "warming up" if seconds < options.warmup_seconds else "measuring"
            left = timedelta(seconds=math.ceil(options.whole_seconds - seconds))
            description = f"{stage}, {str(left).removeprefix('0:')} to go"
        self._bar.update(
            self._task,
            completed=min(max(seconds, 0.0), options.whole_seconds),
            description=description,
            figures=self._figures(failures(totals)),
        )

    def _figures(self, failed: int) -> str:
        words = [f"[bold red]{failed:,} failed[/]"] if failed else []
        if self._series.slices:
            latest = self._series.slices[-1]
            # Their widths are those of "100,000/s" and "9.99 ms", so that all figures stay in their places.
            times = (("p50", latest.p50_seconds), ("p99", latest.p99_seconds))
            rate = f"{wording.rate(latest.throughput)}/s"
            words[:0] = f"{rate:>9}", *(f"{name} {wording.elapsed(seconds):>7}" for name, seconds in times)
        return "  ".join(words)

    def _show_log(self) -> None:
        """Show what the workers log, until the last of them has ended."""
        with open(self._log_end, encoding="utf-8", errors="replace") as log:
            for line in log:
                self._console.print(Text.from_ansi(line.rstrip("\n")), soft_wrap=True)
