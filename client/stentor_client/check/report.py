"""The results of a battery, for people and for programs."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from stentor_chassis.escaping import escaped
from stentor_client import __version__
from stentor_client.check.check import Check, Result, Status
from stentor_client.check.subject import Subject
from stentor_client.output import wording

NAME_COLUMNS = 12  # the longest name of a check
_STYLES = {Status.PASS: "green", Status.FAIL: "bold red", Status.SKIP: "dim"}
_COUNTED = {Status.PASS: "passed", Status.FAIL: "failed", Status.SKIP: "skipped"}


def draw_head(subject: Subject, console: Console) -> None:
    """Print what comes before the results."""
    console.print(f"The path to {escaped(subject.dial.target)}\n")
    console.print(_table(show_header=True))


def draw_row(result: Result, console: Console) -> None:
    """Print a result for people."""
    row = _table(show_header=False)
    skipped = result.status is Status.SKIP
    row.add_row(
        result.name,
        Text(result.status, _STYLES[result.status]),
        "" if skipped else wording.elapsed(result.duration_seconds),
        _described(result),
    )
    console.print(row)


def draw_summary(results: Sequence[Result], unfinished: Sequence[Check], console: Console) -> None:
    """Print what the results amount to, and which checks an interruption left out."""
    counts = Counter(result.status for result in results)
    counted = ", ".join(f"{counts[status]} {word}" for status, word in _COUNTED.items() if counts[status])
    took = wording.elapsed(sum(result.duration_seconds for result in results))
    missing = f"; interrupted before the end of {', '.join(check.name for check in unfinished)}" if unfinished else ""
    console.print(f"{counted or 'nothing finished'} in {took}{missing}")


def document(
    results: Sequence[Result], subject: Subject, started_at: str, *, complete: bool, exit_code: int
) -> dict[str, Any]:
    """Return the results as docs/checking.md describes them; `started_at` is a time as ISO 8601 writes it."""
    return {
        "version": __version__,
        "started_at": started_at,
        "duration_seconds": round(sum(result.duration_seconds for result in results), 6),
        "target": subject.dial.target,
        "tls": subject.dial.tls,
        "expect": subject.expect,
        "complete": complete,
        "exit_code": exit_code,
        "checks": [
            {
                "name": result.name,
                "status": result.status,
                "detail": result.finding.detail,
                "outcome": result.finding.outcome,
                "phase": result.finding.phase,
                "duration_seconds": round(result.duration_seconds, 6),
                "proves": result.check.proves,
                "usual_cause": result.cause,
                "shortage": result.finding.shortage,
                "measured": dict(result.finding.measured),
            }
            for result in results
        ],
    }


def _table(*, show_header: bool) -> Table:
    """Return a table whose columns are as wide as in every other: each row is printed by itself."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, show_header=show_header, expand=True)
    made.add_column("check", no_wrap=True, width=NAME_COLUMNS)
    made.add_column("result", no_wrap=True, width=6)
    made.add_column("time", no_wrap=True, width=7, justify="right")
    made.add_column("what it proves, and what was found", ratio=1, overflow="fold")
    return made


def _described(result: Result) -> Text:
    """Describe a result: the reason if it was skipped, the usual cause if it failed."""
    if result.status is Status.SKIP:
        return Text(escaped(result.finding.detail), "dim")
    words = Text(f"{result.check.proves}\n")
    words.append(escaped(result.finding.detail), "dim" if result.status is Status.PASS else "red")
    if result.status is Status.FAIL and result.cause:
        words.append(f"\nUsually: {result.cause}.")
    return words
