"""A load as it goes, on a terminal."""

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar

from stentor_client.load.options import LoadOptions
from stentor_client.load.quantities import rate_text, time_text
from stentor_client.load.series import Slice, failures


class Progress:
    """A line at the foot of the terminal, on standard error; where that is none, nothing at all."""

    def __init__(self, options: LoadOptions) -> None:
        """Show a load with these options."""
        console = Console(stderr=True)
        self._options = options
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[figures]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("connecting", total=options.whole_seconds, figures="")

    def __enter__(self) -> Self:
        """Begin to show."""
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the line away: the report is what stays."""
        self._bar.stop()

    def watch(self, seconds: float, totals: Sequence[int], latest: Slice | None) -> None:
        """Show where the load is, and what was new."""
        options = self._options
        failed = failures(totals)
        figures = f"{max(0.0, options.whole_seconds - seconds):.0f} s to go"
        if latest is not None:
            figures = "   ".join(
                (
                    f"{rate_text(latest.throughput)}/s",
                    f"p50 {time_text(latest.p50_seconds)}",
                    f"p99 {time_text(latest.p99_seconds)}",
                    f"{failed:,} failed" if failed else "all right",
                    figures,
                )
            )
        stage = "warming up" if seconds < options.warmup_seconds else "measuring"
        self._bar.update(self._task, completed=min(seconds, options.whole_seconds), description=stage, figures=figures)
