"""A load as it goes, on a terminal."""

import os
import threading
from collections.abc import Sequence
from dataclasses import replace
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar
from rich.table import Column
from rich.text import Text

from stentor_chassis.logs.log import LogOptions
from stentor_client.load.options import LoadOptions
from stentor_client.load.report.quantities import clock_text, rate_text, time_text
from stentor_client.load.report.series import Slice, failures

BAR_WIDTH = 10
_TIME_WIDTH = len("9.99 ms")  # so that what stands behind a figure stays in its place
_RATE_WIDTH = len("100,000/s")


class Progress:
    """A line at the foot of the terminal, on standard error; where that is none, nothing at all."""

    def __init__(self, options: LoadOptions, console: Console | None = None) -> None:
        """Show a load with these options."""
        self._console = console = console or Console(stderr=True)
        self._options = options
        self._log_fd = -1
        self._reader = threading.Thread(target=self._show_log, name="log", daemon=True)
        self._latest: Slice | None = None
        self._bar = Bar(
            TextColumn("{task.description}"),
            # The library's own grey is darker than what is done where the terminal is light.
            BarColumn(bar_width=BAR_WIDTH, style="dim", complete_style="cyan", finished_style="cyan"),
            # A narrow terminal loses the end of it, and gets no second line.
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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the line away: the report is what stays."""
        if self._log_fd >= 0:
            os.close(self._log_fd)
            self._reader.join()
        self._bar.stop()

    @property
    def shown(self) -> bool:
        """Whether anybody sees it."""
        return self._console.is_terminal

    def log_options(self, options: LogOptions) -> LogOptions:
        """Return how the workers are to log, so that their lines go above this one and not into it."""
        if self._log_fd < 0:
            return options
        return replace(options, fd=self._log_fd, format="console" if options.format == "auto" else options.format)

    def watch(self, seconds: float, totals: Sequence[int], latest: Slice | None) -> None:
        """Show where the load is, and what was new."""
        options = self._options
        self._latest = latest or self._latest
        if seconds >= options.whole_seconds:
            description = "waiting for replies"
        else:
            stage = "warming up" if seconds < options.warmup_seconds else "measuring"
            description = f"{stage}, {clock_text(options.whole_seconds - seconds)} to go"
        self._bar.update(
            self._task,
            completed=min(max(seconds, 0.0), options.whole_seconds),
            description=description,
            figures=_figures(self._latest, failures(totals)),
        )

    def _show_log(self) -> None:
        """Show what the workers log, until the last of them has ended."""
        with open(self._log_end, encoding="utf-8", errors="replace") as log:
            for line in log:
                self._console.print(Text.from_ansi(line.rstrip("\n")), soft_wrap=True)


def _figures(latest: Slice | None, failed: int) -> str:
    words = [f"[bold red]{failed:,} failed[/]"] if failed else []
    if latest is not None:
        times = ((name, time_text(value)) for name, value in (("p50", latest.p50_seconds), ("p99", latest.p99_seconds)))
        rate = f"{rate_text(latest.throughput)}/s"
        words = [f"{rate:>{_RATE_WIDTH}}", *(f"{name} {value:>{_TIME_WIDTH}}" for name, value in times), *words]
    return "  ".join(words)
