"""What a reconciliation says: a table, a sentence, and the same as data."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from stentor_chassis.failure import OK
from stentor_client.reconcile.quantity import CHECK_BYTES, Quantity
from stentor_client.reconcile.reconciler import Result
from stentor_client.reconcile.side import Side
from stentor_client.reconcile.window import Comparison, Conclusion
from stentor_client.verify.outcomes import CHECK_FAILED

_COLOURS = {Conclusion.AGREE: "green", Conclusion.WITHIN: "magenta", Conclusion.DIFFER: "bold red"}
_LEAST_PERCENT: Final = 0.001  # that has a figure of its own
_WHOLE_PERCENT: Final = 99.95  # from here on without decimals
_PIPE_COLUMNS: Final = 160  # nobody is helped by lines that are broken there


class Report:
    """The words for a result; `during` is the time that was compared, in seconds, where it was not all."""

    def __init__(self, result: Result, during: float | None) -> None:
        """Say it of this result."""
        self._result = result
        self._during = during

    @property
    def exit_code(self) -> int:
        """The exit code of the command."""
        return CHECK_FAILED if Conclusion.DIFFER in self._verdicts() else OK

    def print(self, console: Console) -> None:
        """Print table, notes and sentence."""
        table = _table(console, "quantity", "client", "server")
        for quantity, judgement in self._result.judged:
            sides = self._sides(quantity, judgement, " /\n" if console.is_terminal else " / ")
            table.add_row(quantity.name, *sides, *_found(judgement))
        _print_table(console, table)
        if self._result.answered:
            queries = _table(console, "query", "query says", "exact count")
            for query, judgement in self._result.answered:
                bracket = judgement.bracket
                said, exact = _number(bracket.right), _number(bracket.left)
                queries.add_row(Text(str(query)), said, exact, *_found(judgement, percent_of=bracket.left))
            _print_table(console, queries)
        for line in (*self._notes(), self.sentence):
            console.print(line, markup=False, highlight=False, soft_wrap=not console.is_terminal)

    def data(self) -> dict[str, Any]:
        """Return all of it as plain data."""
        result = self._result
        return {
            "agree": self.exit_code == OK,
            "during_seconds": self._during,
            "quantities": [
                {"quantity": quantity.name, "left": quantity.left.side, "right": quantity.right.side, **_plain(judged)}
                for quantity, judged in result.judged
            ],
            "queries": [
                {"side": query.side, "quantity": query.name, "promql": query.promql, **_plain(judged)}
                for query, judged in result.answered
            ],
            "client": {**result.client, "started_timestamp_seconds": result.clients_started},
            "server": {**result.server, "started_timestamp_seconds": result.server_started},
            "notes": [*self._notes()],
            "summary": self.sentence,
        }

    @property
    def sentence(self) -> str:
        """The last line."""
        verdicts = self._verdicts()
        if Conclusion.DIFFER in verdicts:
            return f"The counts disagree: {'; '.join(self._differences())}."
        if Conclusion.WITHIN in verdicts:
            return (
                "The counts agree, within what moved while they were read; while the traffic pauses they can be exact."
            )
        return "The counts agree, to the byte."

    def _verdicts(self) -> set[Conclusion]:
        return {judgement.verdict for _, judgement in (*self._result.judged, *self._result.answered)}

    def _sides(self, quantity: Quantity, judgement: Comparison, between: str) -> tuple[str, str]:
        left, right = _number(judgement.bracket.left), _number(judgement.bracket.right)
        if quantity.between_sides:
            return left, right
        both = left if left == right else f"{left}{between}{right}"
        return (both, "") if quantity.left.side is Side.CLIENT else ("", both)

    def _differences(self) -> Iterator[str]:
        for quantity, judgement in self._result.judged:
            if judgement.verdict is Conclusion.DIFFER:
                amount = judgement.bracket.difference
                counted = (
                    f"{_number(abs(amount))} {quantity.unit[abs(amount) != 1]} {'more' if amount > 0 else 'fewer'}"
                )
                if quantity.between_sides:
                    yield f"of {quantity.name}, the server counted {counted} than the client"
                else:
                    yield f"{quantity.name} does not hold, the right side is {counted}"
        for query, judgement in self._result.answered:
            if judgement.verdict is Conclusion.DIFFER:
                amount = judgement.bracket.difference
                more = "more" if amount > 0 else "less"
                yield f"{query} says {_number(abs(amount))} {more} than the {query.side} counted"

    def _notes(self) -> Iterator[str]:
        """Yield what helps to understand the counts."""
        client, server = self._result.client, self._result.server
        checks, unfinished = server["checks"], server["checks_unfinished"]
        if checks:
            yield (
                f"Left out of the server's counts: {_of(checks, 'connection')} of its own health checks, with "
                f"{_of(server['checks_received_bytes'], 'byte')} to the server and "
                f"{_of(server['checks_sent_bytes'], 'byte')} back."
            )
        if unfinished > 0:
            yield (
                f"{_of(unfinished, 'health check')} of the server ended half way, or is under way: up to "
                f"{_of(unfinished, 'connection')} and {_of(CHECK_BYTES * unfinished, 'byte')} each way may be theirs."
            )
        for count, thing, what in (
            (server["rejected"], "connection", "rejected by the server, which reads nothing of what is sent over it"),
            (
                server["lost"],
                "connection",
                "lost with a worker of the server that was killed, and what it had not read",
            ),
            (server["unsent_bytes"], "byte", "received by the server and never answered"),
        ):
            if count:
                yield f"{_of(count, thing)} {'was' if count == 1 else 'were'} {what}."
        if client["failed"]:
            yield f"{_of(client['failed'], 'exchange')} failed at the client: what was under way then may be lost."
        if Conclusion.DIFFER in self._verdicts() and self._during is None:
            yield from self._ages()

    def _ages(self) -> Iterator[str]:
        """Say whether one side may have counted what was before the other's time."""
        clients, server = self._result.clients_started, self._result.server_started
        if not clients or not server:
            return
        older, younger = ("server", "client") if server < clients else ("client", "server")
        yield (
            f"The {older} started {abs(clients - server):.1f} s before the {younger}: it may have counted what was "
            f"before the {younger}'s time. With --during 30s only what is counted from then on is compared."
        )


def console(file: Any) -> Console:
    """Return where to print: in colours on a terminal, plain and wide elsewhere."""
    made = Console(file=file, highlight=False)
    return made if made.is_terminal else Console(file=file, highlight=False, width=_PIPE_COLUMNS)


def _table(console: Console, *compared: str) -> Table:
    """Return an empty table that compares these; where a terminal is narrow its words are broken into lines."""
    terminal = console.is_terminal
    table = Table(
        box=SIMPLE_HEAD if terminal else None, pad_edge=False, show_edge=not terminal, collapse_padding=terminal
    )
    for name in (*compared, "difference", "verdict"):
        words = name in {compared[0], "verdict"}
        table.add_column(name, justify="left" if words else "right", no_wrap=not words, overflow="fold")
    return table


def _print_table(console: Console, table: Table) -> None:
    console.print(table)
    if console.is_terminal:
        console.print()


def _found(judgement: Comparison, percent_of: float | None = None) -> Sequence[Text]:
    bracket, verdict = judgement.bracket, judgement.verdict
    amount = bracket.difference
    words: str = verdict
    if verdict is Conclusion.WITHIN:
        words = f"agree within {_number(max(-bracket.low, bracket.high))}"
    difference = _number(amount, sign="+" if amount else "")
    if percent_of and amount:
        difference += f" ({_percent(100 * amount / percent_of)})"
    return Text(difference), Text(words, _COLOURS[verdict])


def _percent(value: float) -> str:
    if abs(value) < _LEAST_PERCENT:
        return f"under {_LEAST_PERCENT} %"
    return f"{value:+,.0f} %" if abs(value) >= _WHOLE_PERCENT else f"{value:+.3g} %"


def _plain(judgement: Comparison) -> dict[str, Any]:
    bracket = judgement.bracket
    return {
        "verdict": judgement.verdict,
        "left_count": bracket.left,
        "right_count": bracket.right,
        "difference": bracket.difference,
        "difference_low": bracket.low,
        "difference_high": bracket.high,
    }


def _of(count: int, thing: str) -> str:
    return f"{_number(count)} {thing}{'s' if count != 1 else ''}"


def _number(value: float, sign: str = "") -> str:
    return f"{int(value):{sign},}" if value == int(value) else f"{value:{sign},.3f}"
