"""The results of a battery, for people and for programs."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from stentor_chassis.escaping import escaped
from stentor_client.check.battery import exit_code
from stentor_client.check.check import Result, Status
from stentor_client.check.subject import Subject
from stentor_client.output import wording

_STYLES = {Status.PASS: "green", Status.FAIL: "bold red", Status.SKIP: "dim"}
_COUNTED = {Status.PASS: "passed", Status.FAIL: "failed", Status.SKIP: "skipped"}


def draw(results: Sequence[Result], subject: Subject, console: Console) -> None:
    """Print the results for people."""
    for part in (f"The path to {escaped(subject.dial.target)}\n", _table(results), _summary(results)):
        console.print(part)


def document(results: Sequence[Result], subject: Subject, started_at: str, version: str) -> dict[str, Any]:
    """Return the results as docs/checking.md describes them; `started_at` is a time as ISO 8601 writes it."""
    return {
        "version": version,
        "started_at": started_at,
        "duration_seconds": round(sum(result.duration_seconds for result in results), 6),
        "target": subject.dial.target,
        "tls": subject.dial.tls,
        "expect": subject.expect,
        "exit_code": exit_code(results),
        "checks": [
            {
                "name": result.name,
                "status": result.status,
                "detail": result.finding.detail,
                "outcome": result.finding.outcome,
                "phase": result.finding.phase,
                "duration_seconds": round(result.duration_seconds, 6),
                "proves": result.check.proves,
                "usual_cause": result.usual_cause,
                "shortage": result.finding.shortage,
                "measured": dict(result.finding.measured),
            }
            for result in results
        ],
    }


def _table(results: Sequence[Result]) -> Table:
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    made.add_column("check", no_wrap=True)
    made.add_column("result", no_wrap=True)
    made.add_column("time", no_wrap=True, justify="right")
    made.add_column("what it proves, and what was found", ratio=1, overflow="fold")
    for result in results:
        skipped = result.status is Status.SKIP
        made.add_row(
            result.name,
            Text(result.status, _STYLES[result.status]),
            "" if skipped else wording.elapsed(result.duration_seconds),
            _described(result),
        )
    return made


def _summary(results: Sequence[Result]) -> str:
    counts = Counter(result.status for result in results)
    counted = ", ".join(f"{counts[status]} {word}" for status, word in _COUNTED.items() if counts[status])
    return f"{counted} in {wording.elapsed(sum(result.duration_seconds for result in results))}"


def _described(result: Result) -> Text:
    """Describe a result: the reason if it was skipped, the usual cause if it failed."""
    if result.status is Status.SKIP:
        return Text(escaped(result.finding.detail), "dim")
    words = Text(f"{result.check.proves}\n")
    words.append(escaped(result.finding.detail), "dim" if result.status is Status.PASS else "red")
    if result.status is Status.FAIL and result.usual_cause:
        words.append(f"\nUsually: {result.usual_cause}.")
    return words
