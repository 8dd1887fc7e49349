"""The result of a reconciliation, for people and for programs."""

from collections.abc import Iterator
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from stentor_chassis.failure import OK
from stentor_client.output.wording import counted, number, percent
from stentor_client.reconcile.bracket import Bracket
from stentor_client.reconcile.judging import Comparison, Conclusion
from stentor_client.reconcile.quantity import Quantity, Side
from stentor_client.reconcile.reconciler import Result
from stentor_client.verify.outcomes import CHECK_FAILED, UNKNOWN

_COLOURS = {
    Conclusion.AGREE: "green",
    Conclusion.WITHIN: "green",
    Conclusion.ACCEPTED: "green",
    Conclusion.DIFFER: "bold red",
    Conclusion.UNKNOWN: "magenta",
}


class Report:
    """A result in words."""

    def __init__(self, result: Result, during: float | None) -> None:
        """`during` is the time that was compared, in seconds; None if everything was."""
        self._result = result
        self._during = during
        self._compared = [*((each.name, found) for each, found in result.quantities), *result.queries]
        self._conclusions = {comparison.conclusion for _, comparison in self._compared}

    @property
    def exit_code(self) -> int:
        """The exit code of the command."""
        if Conclusion.DIFFER in self._conclusions:
            return CHECK_FAILED
        return UNKNOWN if Conclusion.UNKNOWN in self._conclusions else OK

    def print(self, console: Console) -> None:
        """Print tables, notes and summary."""
        table = _table(console, "quantity", "client", "server")
        for quantity, comparison in self._result.quantities:
            sides = _sides(quantity, comparison, " /\n" if console.is_terminal else " / ")
            table.add_row(quantity.name, *sides, *_cells(comparison))
        _print_table(console, table)
        if self._result.queries:
            table = _table(console, "query", "query says", "exact count")
            for query, comparison in self._result.queries:
                exact = comparison.bracket.left
                said = number(comparison.bracket.right)
                table.add_row(Text(str(query)), said, number(exact), *_cells(comparison, percent_of=exact))
            _print_table(console, table)
        for line in (*self._notes(), self.summary):
            console.print(line, markup=False, highlight=False, soft_wrap=not console.is_terminal)

    def data(self) -> dict[str, Any]:
        """Return the report as plain data."""
        result = self._result
        return {
            "agree": self.exit_code == OK,
            "during_seconds": self._during,
            "quantities": [
                {"quantity": quantity.name, "left": quantity.left.side, "right": quantity.right.side, **_plain(found)}
                for quantity, found in result.quantities
            ],
            "queries": [
                {"side": query.side, "quantity": query.name, "promql": query.promql, **_plain(found)}
                for query, found in result.queries
            ],
            "client": {**result.client, "started_timestamp_seconds": result.clients_started},
            "server": {**result.server, "started_timestamp_seconds": result.server_started},
            "notes": [*self._notes()],
            "summary": self.summary,
        }

    @property
    def summary(self) -> str:
        """The last line."""
        if Conclusion.DIFFER in self._conclusions:
            return f"The counts disagree: {'; '.join(self._differences())}."
        if Conclusion.UNKNOWN in self._conclusions:
            unknown = [str(key) for key, found in self._compared if found.conclusion is Conclusion.UNKNOWN]
            return f"Cannot tell whether these counts agree: {'; '.join(unknown)}."
        if Conclusion.ACCEPTED in self._conclusions:
            return "The counts differ by no more than the share that --max-difference accepts."
        if Conclusion.WITHIN in self._conclusions:
            return "The counts agree within what moved while they were read. Pause the traffic for an exact comparison."
        if not any(found.bracket.counted for _, found in self._compared):
            return "Nothing was counted on either side: there was no traffic to compare."
        return "The counts agree, to the byte."

    def _differences(self) -> Iterator[str]:
        for quantity, (conclusion, bracket, _) in self._result.quantities:
            if conclusion is Conclusion.DIFFER:
                amount = bracket.difference
                if quantity.between_sides:
                    more = f"{_least(bracket)}{number(abs(amount))} {'more' if amount > 0 else 'fewer'}"
                    yield f"for {quantity.name}, the server counted {more} than the client"
                else:
                    by = f"{_least(bracket)}{counted(abs(amount), quantity.unit)}"
                    yield f"{quantity.name} does not hold: the right side is {by} {'higher' if amount > 0 else 'lower'}"
        for query, (conclusion, bracket, _) in self._result.queries:
            if conclusion is Conclusion.DIFFER:
                more = "more" if bracket.difference > 0 else "less"
                difference = _least(bracket) + number(abs(bracket.difference))
                yield f"{query} says {difference} {more} than the {query.side} counted"

    def _notes(self) -> Iterator[str]:
        """Yield what helps to understand the counts."""
        client, server = self._result.client, self._result.server
        for count, noun, fate in (
            (server["rejected"], "connection", "rejected by the server, which reads nothing from them"),
            (server["lost"], "connection", "lost with a killed worker of the server, and so were bytes not yet read"),
            (server["unsent_bytes"], "byte", "received by the server and never answered"),
        ):
            if count:
                yield f"{counted(count, noun)} {'was' if count == 1 else 'were'} {fate}."
        if client["failed"]:
            yield f"{counted(client['failed'], 'exchange')} failed at the client: bytes under way then may be lost."
        for key, found in self._compared:
            if found.reason:
                yield f"{key}: {found.reason}."
        if any(found.conclusion is not Conclusion.AGREE and found.bracket.low < 0 for _, found in self._result.queries):
            yield (
                "A proxy may count late: HAProxy adds the bytes of a connection when it ends, or with "
                "`option contstats` every five seconds."
            )
        differs = any(found.conclusion is Conclusion.DIFFER for _, found in self._result.quantities)
        if differs and self._during is None:
            yield from self._ages()

    def _ages(self) -> Iterator[str]:
        """Point out that one side may have counted traffic from before the other side started."""
        clients, server = self._result.clients_started, self._result.server_started
        if not clients or not server:
            return
        older, younger = ("server", "client") if server < clients else ("client", "server")
        yield (
            f"By its own clock, the {older} started {abs(clients - server):.1f} s before the {younger}, and may have "
            "counted earlier traffic. With --during 30s, only traffic from now on is compared."
        )


def _table(console: Console, *compared: str) -> Table:
    """Return an empty table to compare these; on a narrow terminal, words are wrapped and figures are not."""
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


def _sides(quantity: Quantity, comparison: Comparison, between: str) -> tuple[str, str]:
    left, right = number(comparison.bracket.left), number(comparison.bracket.right)
    if quantity.between_sides:
        return left, right
    both = left if left == right else f"{left}{between}{right}"
    return (both, "") if quantity.left.side is Side.CLIENT else ("", both)


def _cells(comparison: Comparison, percent_of: float | None = None) -> tuple[Text, Text]:
    conclusion, bracket, _ = comparison
    amount = bracket.difference
    difference = _least(bracket) + number(amount, sign="+" if amount else "")
    if percent_of and amount:
        difference += f" ({percent(100 * amount / percent_of)})"
    if conclusion is Conclusion.WITHIN:
        difference = f"up to {number(bracket.bound)}"
    elif conclusion is Conclusion.UNKNOWN:
        difference = "unknown"
    return Text(difference), Text(conclusion, _COLOURS[conclusion])


def _least(bracket: Bracket) -> str:
    return "at least " if bracket.difference and bracket.width else ""


def _plain(comparison: Comparison) -> dict[str, Any]:
    conclusion, bracket, reason = comparison
    return {
        "verdict": conclusion,
        "reason": reason or None,
        "left_count": bracket.left,
        "right_count": bracket.right,
        "difference": bracket.difference,
        "difference_low": bracket.low,
        "difference_high": bracket.high,
    }
