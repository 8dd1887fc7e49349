"""The contents of a live page."""

import pytest

from stentor_chassis.counters.metrics import RESTARTS, Counter, RestartReason, Schema
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


TOTALS = [100 + slot for slot in range(SCHEMA.row_slots)]  # all different


def test_columns() -> None:
    """Each described column has the merged slots of its metric; a metric shown twice has one column."""
    columns = Columns(SCHEMA, VIEW)
    row, told = columns.read(TOTALS), columns.describe()
    taken, worn, lost = (
        TOTALS[SCHEMA.slot(metric, value)] for metric, value in ((TAKEN, ""), (ENDED, "worn"), (ENDED, "lost"))
    )
    things, newest = (
        [[row[column] for column in line["columns"]] for line in chart["lines"]] for chart in told["charts"]
    )
    assert things == [[taken], [worn, lost], [lost]]
    assert newest == [[taken - worn - lost], [TOTALS[SCHEMA.slot(NEWEST)]]]
    first = told["distribution"]["column"]
    assert [*row[first : first + SPAN.width]] == TOTALS[SCHEMA.slots(SPAN)]
    (table,) = told["tables"]
    assert [*row[table["column"] : table["column"] + 2]] == [worn, lost]
    replaced = told["replaced"]["column"]
    assert [*row[replaced : replaced + len(RestartReason)]] == TOTALS[SCHEMA.slots(RESTARTS)]
    assert len(row) == len([TAKEN, OPEN, NEWEST]) + len(ENDED.values) + SPAN.width + len(RestartReason)


def test_empty_view() -> None:
    """Every service shows which workers were replaced; a metric that is not in the schema cannot be shown."""
    columns = Columns(SCHEMA, View())
    told = columns.describe()
    assert (told["charts"], told["distribution"], told["tables"]) == ([], None, [])
    assert [*columns.read(TOTALS)] == TOTALS[SCHEMA.slots(RESTARTS)]
    elsewhere = Counter(name="elsewhere_total", help="Elsewhere.")
    with pytest.raises(KeyError):
        Columns(SCHEMA, View(charts=(Chart("Elsewhere", (Line("elsewhere", elsewhere),)),)))


@pytest.mark.parametrize(("schema", "view"), [(SERVER, SERVER_VIEW), (CLIENT, CLIENT_VIEW)], ids=["server", "client"])
def test_views_of_the_services(schema: Schema, view: View) -> None:
    """The lines of a chart share a unit and a kind, and failures are values of the label."""
    told = Columns(schema, view).describe()
    for chart in told["charts"]:
        assert len({(line["unit"], line["rate"]) for line in chart["lines"]}) == 1
        assert len(chart["lines"]) <= 3  # there are three dash patterns
    for table in told["tables"]:
        assert set(table["failures"]) <= set(table["values"])
    assert told["distribution"]["title"] in {"Event loop lag", "Response time"}
