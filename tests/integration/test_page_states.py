"""The live page of a service that is in every state it can be in, in a real browser."""

import asyncio
import os
import threading
import time
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

import pytest
from prometheus_client import CollectorRegistry

from browser import Browser, LivePage
from connections import reserved
from stentor_chassis.admin.endpoint import Admin
from stentor_chassis.counters.metrics import RESTARTS
from stentor_chassis.counters.shared_counters import CONTROL, FIRST_WORKER, SharedCounters
from stentor_chassis.page import history as history_module
from stentor_chassis.page.history import History
from stentor_chassis.page.routes import routes
from stentor_chassis.page.view import Chart, Distribution, Line, Table, View
from unit.chassis.example import ENDED, OPEN, SCHEMA, SPAN, TAKEN
from waiting import SECONDS, until

VIEW = View(
    charts=(
        Chart("Things", (Line("taken", TAKEN), Line("lost", ENDED, ("lost",)))),
        Chart("Now", (Line("open", OPEN),)),
    ),
    distribution=Distribution("Span", SPAN),
    tables=(Table("Things ended", ENDED, ("lost",)),),
)
T = TypeVar("T")
FAULTS = ["delay=0.1:200ms", "close=<b>0.01</b>"]


class Clock:
    """Time as the test has it, in seconds."""

    now = 0.0

    def monotonic(self) -> float:
        """Return it."""
        return self.now


class Stub:
    """An admin endpoint whose service the test plays."""

    def __init__(self) -> None:
        """Be up, on a port that stays its own while it is down."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._bound = reserved()
        self.facts: dict[str, Any] = {
            "service": "an-example",
            "version": "1.2.3",
            "state": "ready",
            "ready": True,
            "uptime_seconds": 3723.5,
            "addresses": [],
            "workers": [{"worker": 0, "pid": 7, "state": "ready"}],
            "config": {},
        }
        self.start()

    def start(self) -> None:
        """Begin a run, where the last one was."""
        self._counters = SharedCounters(SCHEMA, FIRST_WORKER + 1)
        self.row = self._counters.row(CONTROL)
        self._history = History(self._counters, lambda: {0: [FIRST_WORKER]}, VIEW)
        self.facts["started_timestamp_seconds"] = time.time()
        pages = routes("an-example", lambda number: {**self.facts, **self._history.since(number)})
        self._endpoint = Admin(CollectorRegistry(), lambda: True, dict, pages=pages)
        self.admin = self._do(self._endpoint.start(*self._bound.getsockname()))

    def stop(self) -> None:
        """End it."""
        self._do(self._endpoint.stop())
        os.close(self._counters.fd)

    def count(self, *metrics: tuple[Any, str, int]) -> None:
        """Count, and take a snapshot of it."""
        for metric, value, times in metrics:
            self.row[SCHEMA.slot(metric, value)] += times
        self._do(self._take())

    def close(self) -> None:
        """Give the port back."""
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._bound.close()

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(SECONDS)

    async def _take(self) -> None:
        self._history.take()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the snapshots."""
    clock = Clock()
    monkeypatch.setattr(history_module, "time", clock)
    return clock


@pytest.fixture
def stub(clock: Clock) -> Iterator[Stub]:
    """A service that the test plays, and its page."""
    stub = Stub()
    yield stub
    stub.close()


def test_faults(stub: Stub, browser: Browser) -> None:
    """Faults that are injected stand on top of the page, as text whatever they hold, and not where there are none."""
    stub.facts["config"] = {"fault": FAULTS, "sizes": [64, 65536], "colour": None}
    page = LivePage(browser, stub.admin)
    assert browser.text("#faults") == "Faults are injected: delay=0.1:200ms, close=<b>0.01</b>"
    assert browser.ask("faults.getBoundingClientRect().bottom < state.getBoundingClientRect().top")
    assert browser.ask("faults.getAttribute('role')") == "alert"
    assert page.table("In force") == {
        "fault": ("delay=0.1:200ms, close=<b>0.01</b>",),
        "sizes": ("64 B, 64 KiB",),
        "not set, or 0": ("colour",),
    }
    stub.facts["config"] = {"fault": []}
    until(lambda: browser.text("#faults") == "", "the banner to go")
    assert browser.ask("faults.hidden")
    assert browser.complaints == []


def test_restart(stub: Stub, browser: Browser) -> None:
    """The page tells when nothing can be reached, and goes on with the next run, without anything of the last."""
    stub.count((TAKEN, "", 70), (ENDED, "lost", 3))
    page = LivePage(browser, stub.admin)
    assert page.totals() == {"taken: Things": 70, "lost: Things": 3}
    assert page.table("Things ended") == {"lost": ("3", "3")}
    stub.stop()
    until(lambda: page.title() == "an-example: not reachable", "the page to notice")
    assert "Not reachable since" in page.state()
    assert page.totals() == {"taken: Things": 70, "lost: Things": 3}
    stub.start()
    stub.count((TAKEN, "", 5))
    until(lambda: page.totals() == {"taken: Things": 5, "lost: Things": 0}, "the page to go on")
    assert page.title() == "an-example: ready"
    assert page.table("Things ended") == {"none": ("0", "0")}


def test_states(stub: Stub, browser: Browser) -> None:
    """Every state is told in the page and in its title."""
    for state, ready, said in (
        ("starting", False, "▲ Starting"),
        ("ready", True, "✓ Ready"),
        ("ready", False, "▲ Not ready"),
        ("draining", False, "▲ Draining"),
    ):
        stub.facts |= {"state": state, "ready": ready}
        page = LivePage(browser, stub.admin)
        assert page.state() == said
        assert page.title() == f"an-example: {said[2:].lower()}"
    assert browser.text("#about") == "Version 1.2.3, up 1 h 2 min"


def test_trouble(stub: Stub, browser: Browser) -> None:
    """What should not happen is told on top while it happens, and marked in its table by more than a colour."""
    page = LivePage(browser, stub.admin)
    assert browser.text("#trouble") == ""
    stub.count((TAKEN, "", 9), (ENDED, "lost", 2), (ENDED, "worn", 1), (RESTARTS, "signal", 1), (RESTARTS, "reload", 1))
    until(lambda: browser.text("#trouble"), "the page to tell")
    assert browser.text("#trouble") == "▲ Trouble in the last 10 s. Things ended: lost. Workers replaced: signal."
    assert browser.texts("#tables th[scope=row]") == ["worn", "▲ lost"]
    assert browser.texts("tr.bad th") == ["▲ lost", "▲ signal"]
    assert page.table("Workers replaced") == {"signal": ("1", "1"), "reload": ("1", "1")}


def test_rates(stub: Stub, clock: Clock, browser: Browser) -> None:
    """A rate is what was counted in the last 10 s, by the second, and its picture tells the least and the most."""
    for age, things, lost in ((10, 40, 0), (20, 100, 10)):
        clock.now = age
        stub.count((TAKEN, "", things), (ENDED, "lost", lost))
    page = LivePage(browser, stub.admin)
    assert browser.texts("#charts b") == ["10/s", "1/s", "130"]
    assert page.totals() == {"taken: Things": 140, "lost: Things": 10}
    assert browser.texts("#charts > div:first-child .axis") == ["10/s", "20 s ago\nnow"]
    assert browser.ask("document.querySelector('.plot').ariaLabel") == (
        "Things over the last 20 s. taken: now 10/s, between 4/s and 10/s; lost: now 1/s, between 0/s and 1/s."
    )


def test_window(stub: Stub, clock: Clock, browser: Browser) -> None:
    """What is older than the window is in no figure but the totals, also where the page was opened before that."""
    first = SCHEMA.slot(SPAN)
    clock.now = 1
    stub.row[first] += 50
    stub.count((ENDED, "lost", 3))
    page = LivePage(browser, stub.admin)
    assert page.table("Things ended") == {"lost": ("3", "3")}
    assert page.observed() == 50
    clock.now = 290
    stub.count()
    clock.now = 320
    stub.row[first] += 7
    stub.count((ENDED, "lost", 2))
    until(lambda: page.table("Things ended") == {"lost": ("2", "5")}, "the old ones to go")
    assert page.observed() == 7
    assert browser.text(".window") == "the last 30 s"


def test_distribution(stub: Stub, browser: Browser) -> None:
    """Percentiles lie within the buckets, the greatest below the last bound, and beyond that nothing is pretended."""
    first = SCHEMA.slot(SPAN)
    page = LivePage(browser, stub.admin)
    assert browser.texts("#percentiles dd") == ["–"] * 4
    stub.row[first] += 80  # up to 1 ms
    stub.row[first + 1] += 20  # up to 2 s
    stub.count()
    until(lambda: page.observed() == 100, "the histogram")
    assert browser.texts("#percentiles dd") == ["625 µs", "1 s", "1.9 s", "≤ 2 s"]
    assert page.table("Histogram") == {"1 ms": ("80", "80 %"), "2 s": ("20", "20 %")}
    stub.row[first + 2] += 100
    stub.count()
    until(lambda: page.observed() == 200, "the histogram")
    assert browser.texts("#percentiles dd") == ["2 s", "over 2 s", "over 2 s", "over 2 s"]
    assert "over 2 s" in page.table("Histogram")


def test_reduced_motion(stub: Stub, browser: Browser) -> None:
    """For people who prefer less motion, the page is updated less often."""
    browser.call("Page.addScriptToEvaluateOnNewDocument", source=_NOTE_PAUSES)
    for reduced, pause in ((True, 10000), (False, 2000)):
        browser.look(reduced_motion=reduced)
        LivePage(browser, stub.admin)
        until(lambda: browser.ask("pauses.length"), "the first pause")
        assert browser.ask("pauses[0]") == pause


_NOTE_PAUSES = """const pauses = [], later = setTimeout;
globalThis.setTimeout = (work, length) => { pauses.push(length); return later(work, length); };"""


QUANTITIES = {
    "duration(0)": "0 s",
    "duration(0.00005)": "50 µs",
    "duration(0.0009996)": "1 ms",
    "duration(0.0123456)": "12.3 ms",
    "duration(1.5)": "1.5 s",
    "duration(60)": "1 min",
    "duration(192)": "3 min 12 s",
    "duration(90000)": "1 d 1 h",
    "bytes(1023)": "1,023 B",
    "bytes(1024)": "1 KiB",
    "bytes(1048570)": "1 MiB",
    "bytes(1.5 * 2 ** 50)": "1.5 PiB",
    "quantity(1234.5, '', true)": "1,235/s",
    "quantity(2048, 'bytes', true)": "2 KiB/s",
    "quantity(null, 'bytes', true)": "–",
    "quantile([0, 0], [1], 0.5)": None,
    "quantile([0, 4, 0], [1, 3], 0.5)": 2,
    "quantile([1, 0, 1], [1, 3], 1)": None,  # infinity, which JSON has not
    "quantile([2, 0, 0, 2], [1, 2, 3], 0.5)": 1,
}


def test_quantities(stub: Stub, browser: Browser) -> None:
    """Figures have units and three digits that count; percentiles are those of Prometheus."""
    LivePage(browser, stub.admin)
    functions = "{ duration, bytes, quantity, quantile }"
    found = browser.ask(f"import('/drawing.js').then(({functions}) => [{', '.join(QUANTITIES)}])")
    assert dict(zip(QUANTITIES, found, strict=True)) == QUANTITIES
