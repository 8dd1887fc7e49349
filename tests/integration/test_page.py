"""The live pages of real services, with traffic behind them, in a real browser."""

from collections.abc import Iterator

import pytest

from browser import Browser, LivePage
from exposition import Samples, total
from processes import Probe, Server
from waiting import until

WIDTHS = (320, 390, 800, 1400)
OK = 'stentor_client_exchanges_total{outcome="ok"}'


@pytest.fixture
def probe(server: Server) -> Iterator[Probe]:
    """A client that exchanges with the test's own server, patiently."""
    with Probe(server.target, "--interval", "20ms", "--connection", "mixed", "--timeout", "2m") as probe:
        yield probe


def _labelled(values: Samples, name: str, label: str) -> dict[str, int]:
    """Return the counts of a metric that are not 0, by the value of its label."""
    start = f'{name}{{{label}="'
    return {
        key.removeprefix(start).removesuffix('"}'): int(value)
        for key, value in values.items()
        if key.startswith(start) and value
    }


def test_server(server: Server, probe: Probe, browser: Browser) -> None:
    """Opened when the traffic is over, it shows all of it, as the metrics have it, and the browser has no complaint."""
    probe.reaches(OK, 50)
    probe.stop()
    values = server.quiet()
    page = LivePage(browser, server.admin)

    expected = {
        "accepted: Connections per second": values["stentor_server_connections_accepted_total"],
        "rejected: Connections per second": 0,
        "received: Bytes per second": values["stentor_server_received_bytes_total"],
        "sent: Bytes per second": values["stentor_server_sent_bytes_total"],
    }
    until(lambda: page.totals() == expected, "the page to have caught up")
    assert page.counts("Connections closed") == _labelled(values, "stentor_server_connections_closed_total", "reason")
    assert page.counts("Connections rejected") == {}
    assert {row[0] for row in page.table("Processes").values()} == {str(pid) for pid in server.worker_pids()}
    assert page.table("In force")["idle timeout"] == ("10 min",)
    assert page.title() == "stentor-server: ready"
    assert browser.text("#about").endswith(f"listening on {server.target}")
    lag = until(page.observed, "observations of the event loops' lag")
    assert 0 < lag <= total(server.metrics(), "stentor_server_event_loop_lag_seconds_count")
    assert browser.complaints == []
    assert all(url.startswith(f"{server.admin}/") for url in browser.requests)


def test_keyboard(server: Server, browser: Browser) -> None:
    """Without a mouse, Tab leads to the button and then to the links in order, visibly, and Enter presses it."""
    page = LivePage(browser, server.admin)
    stops = []
    for _ in range(5):
        browser.press("Tab")
        stops.append(browser.ask("document.activeElement.innerText"))
        assert browser.ask("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert stops == ["Pause", "/metrics", "/status", "/healthz", "/readyz"]
    browser.ask("document.getElementById('pause').focus()")
    browser.press("Enter")
    assert page.title() == "stentor-server: paused"
    assert browser.ask("document.activeElement.innerText") == "Resume"
    browser.press("Enter")
    until(lambda: page.title() == "stentor-server: ready", "the page to go on")
    assert browser.ask("document.activeElement.innerText") == "Pause"


def test_every_width(server: Server, probe: Probe, browser: Browser) -> None:
    """On a phone as on a desk nothing needs to be scrolled sideways, and the colours are those that are preferred."""
    probe.reaches(OK, 20)
    for admin, dark in ((server.admin, False), (probe.admin, False), (probe.admin, True)):
        page = LivePage(browser, admin)
        for width in WIDTHS:
            browser.look(width=width, dark=dark)
            assert browser.ask("document.documentElement.scrollWidth") <= width
            assert browser.ask("innerWidth") == width, page.title()
        channels = browser.ask("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
        assert all((channel < 128) == dark for channel in channels)
    assert browser.complaints == []


def test_told_to_who_does_not_see(server: Server, probe: Probe, browser: Browser) -> None:
    """Headings, tables and pictures have names, and a picture's name says what it shows."""
    probe.reaches(OK, 20)
    page = LivePage(browser, probe.admin)
    until(page.observed, "exchanges in the histogram")
    roles = browser.roles()
    headings = [name for role, name in roles if role == "heading"]
    assert headings[:2] == ["stentor-client", "Connections and rates"]
    assert headings[-2:] == ["Workers", "Configuration"]
    tables = [name for role, name in roles if role == "table"]
    assert len(tables) == 6
    assert all(tables)
    pictures = [name for role, name in roles if role in {"image", "img"}]
    assert len(pictures) == 5
    assert pictures[0].startswith("Exchanges per second over the last ")
    assert "ok: now " in pictures[0]
    assert "between " in pictures[0]
    assert ("button", "Pause") in roles
    assert browser.ask("document.querySelectorAll('[role=status],[role=alert],[aria-live]').length") == 3
    assert browser.ask("[...document.querySelectorAll('th')].every((heading) => heading.scope)")


def test_without_scripts(server: Server, browser: Browser) -> None:
    """Where scripts are off it says so, and where to find the same without them."""
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    browser.open(f"{server.admin}/")
    roles = until(lambda: [each for each in browser.roles() if each[0] == "link"], "the links")
    assert roles == [("link", path) for path in ("/metrics", "/status", "/healthz", "/readyz")]
    assert any("JavaScript, which is off" in name for _, name in browser.roles())
    assert not any(role == "button" for role, _ in browser.roles())
