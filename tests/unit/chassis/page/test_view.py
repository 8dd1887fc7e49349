"""What a live page shows, from declared metrics."""

from typing import Any

import pytest

from stentor_chassis.counters.metrics import LOOP_LAG, RESTARTS, Counter, RestartReason, Schema
from stentor_chassis.page.view import Chart, Columns, Distribution, Line, Table, View
from stentor_client.metrics import SCHEMA as CLIENT
from stentor_client.metrics import VIEW as CLIENT_VIEW
from stentor_server.metrics import SCHEMA as SERVER
from stentor_server.metrics import VIEW as SERVER_VIEW
from unit.chassis.example import ENDED, NEWEST, OPEN, SCHEMA, SPAN, TAKEN

VIEW = View(
    charts=(
        Chart("Things", (Line("taken", TAKEN), Line("ended", ENDED), Line("lost", ENDED, ("lost",)))),
        Chart("Newest", (Line("open", OPEN), Line("newest", NEWEST))),
    ),
    distribution=Distribution("Span", SPAN),
    tables=(Table("Things ended", ENDED, ("lost",)),),
)


def _totals() -> list[int]:
    """Return slots that all have something of their own in them."""
    return [100 + slot for slot in range(SCHEMA.row_slots)]


def test_columns_are_where_they_are_said_to_be() -> None:
    """Each column that is described holds what the merged slots have of its metric."""
    columns, totals = Columns(SCHEMA, VIEW), _totals()
    row, told = columns.read(totals), columns.describe()
    taken, worn, lost = (
        totals[SCHEMA.slot(TAKEN)],
        totals[SCHEMA.slot(ENDED, "worn")],
        totals[SCHEMA.slot(ENDED, "lost")],
    )

    def values(line: dict[str, Any]) -> list[int]:
        return [row[column] for column in line["columns"]]

    (things, newest) = (chart["lines"] for chart in told["charts"])
    assert [values(line) for line in things] == [[taken], [worn, lost], [lost]]
    assert [values(line) for line in newest] == [[taken - worn - lost], [totals[SCHEMA.slot(NEWEST)]]]
    first = told["distribution"]["column"]
    assert [*row[first : first + 3]] == totals[SCHEMA.slot(SPAN) : SCHEMA.slot(SPAN) + 3]
    (table,) = told["tables"]
    assert [*row[table["column"] : table["column"] + 2]] == [worn, lost]
    replaced = told["replaced"]["column"]
    assert [*row[replaced : replaced + len(RestartReason)]] == totals[SCHEMA.slots(RESTARTS)]


def test_metric_that_is_shown_twice_is_kept_once() -> None:
    """There are as many columns as there are different numbers to show."""
    shown = len([TAKEN, OPEN, NEWEST]) + len(ENDED.values) + SPAN.width + len(RestartReason)
    assert len(Columns(SCHEMA, VIEW).read(_totals())) == shown


def test_description() -> None:
    """It tells names, how to draw a line, its unit and scale, bounds in seconds, and what stands out."""
    told = Columns(SCHEMA, VIEW).describe()
    (things, newest) = told["charts"]
    assert things["title"] == "Things"
    assert [(line["name"], line["rate"], line["unit"], line["scale"]) for line in things["lines"]] == [
        ("taken", True, "", 1),
        ("ended", True, "", 1),
        ("lost", True, "", 1),
    ]
    assert [(line["rate"], line["scale"]) for line in newest["lines"]] == [(False, 1), (False, 0.5)]
    assert told["distribution"]["bounds"] == [0.001, 2.0]
    assert told["tables"][0]["values"] == ("worn", "lost")
    assert told["tables"][0]["failures"] == ("lost",)
    assert told["replaced"]["label"] == "reason"


def test_nothing_declared() -> None:
    """A service that declares nothing shows which workers were replaced."""
    columns = Columns(SCHEMA, View())
    told = columns.describe()
    assert (told["charts"], told["distribution"], told["tables"]) == ([], None, [])
    assert [*columns.read(_totals())] == _totals()[SCHEMA.slots(RESTARTS)]


def test_metric_of_another_service() -> None:
    """What the schema does not have cannot be shown."""
    elsewhere = Counter(name="elsewhere_total", help="Elsewhere.")
    with pytest.raises(KeyError):
        Columns(SCHEMA, View(charts=(Chart("Elsewhere", (Line("elsewhere", elsewhere),)),)))


@pytest.mark.parametrize(("schema", "view"), [(SERVER, SERVER_VIEW), (CLIENT, CLIENT_VIEW)], ids=["server", "client"])
def test_views_of_the_services(schema: Schema, view: View) -> None:
    """Lines of a picture share a unit and a kind, and what fails is a value that the label can have."""
    told = Columns(schema, view).describe()
    for chart in told["charts"]:
        assert len({(line["unit"], line["rate"]) for line in chart["lines"]}) == 1
        assert len(chart["lines"]) <= 3  # so many kinds of dashes there are
    for table in told["tables"]:
        assert set(table["failures"]) <= set(table["values"])
    assert told["distribution"]["title"] in {"Event loop lag", "Response time"}


def test_what_every_service_has_can_be_shown() -> None:
    """The metrics of the chassis need no declaration by the service."""
    assert (
        Columns(SCHEMA, View(distribution=Distribution("Lag", LOOP_LAG))).describe()["distribution"]["title"] == "Lag"
    )
