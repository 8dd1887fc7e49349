"""The report of a real load, in a real browser."""

import json
import signal
from pathlib import Path

from browser import Browser
from processes import Server, run, running
from waiting import SECONDS, until

BRIEF = ("--rate", "200", "--duration", "500ms", "--warmup", "100ms", "--connections", "4")


def loaded(browser: Browser, page: Path) -> str:
    """Open a page from where it lies; return its elements once all of it is there."""
    browser.open(page.as_uri())
    until(lambda: browser.ask("document.readyState") == "complete", "the page to be loaded")
    return str(browser.ask("document.documentElement.outerHTML"))


def test_page_opens_without_a_complaint(shared_server: Server, browser: Browser, tmp_path: Path) -> None:
    """The page shows its pictures and figures without a complaint, which a script or foreign image would cause."""
    page, figures = tmp_path / "load.html", tmp_path / "load.json"
    ended = run(
        *("stentor-client", "load", "--target", shared_server.target, *BRIEF),
        *("--report", str(page), "--json", str(figures), "--max-error-rate", "0"),
    )
    assert (ended.returncode, ended.stderr) == (0, b"")
    elements = loaded(browser, page)
    assert browser.complaints == []
    assert elements.count("<svg ") == 3
    assert f"<h1>Load on {shared_server.target}</h1>" in elements
    assert f"of {json.loads(figures.read_text())['exchanges']:,}" in elements
    text = page.read_text(encoding="utf-8")
    for number, element in enumerate(("<script>nothing()</script>", '<img src="http://127.0.0.1:1/picture.png">'), 1):
        page.write_text(text.replace("</main>", f"{element}</main>"), encoding="utf-8")
        loaded(browser, page)
        assert ["Content Security Policy" in line for line in browser.complaints] == [True] * number


def test_report_of_an_interrupted_load(server: Server, browser: Browser, tmp_path: Path) -> None:
    """Ctrl-C ends a load with 130, and what was measured until then is reported; here that is nothing."""
    page = tmp_path / "load.html"
    options = ("--warmup", "1h", "--report", str(page))
    with running("stentor-client", "load", "--target", server.target, *options) as load:
        server.reaches("stentor_server_connections_active", 50)
        load.send_signal(signal.SIGINT)
        out, err = load.communicate(timeout=SECONDS)
    assert (load.returncode, err) == (130, b"")
    assert server.quiet()["stentor_server_connections_accepted_total"] == 51
    assert b"nothing was measured" in out
    assert "nothing was measured" in loaded(browser, page)
    assert browser.complaints == []
