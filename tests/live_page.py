"""What the live page of an admin endpoint shows."""

import re

from browser import Browser
from waiting import until

Row = tuple[str, ...]


class LivePage:
    """The page of one service, open in a browser."""

    def __init__(self, browser: Browser, admin: str) -> None:
        """Open it, and wait until it shows something."""
        self.browser = browser
        browser.open(f"{admin}/")
        until(lambda: "✓" in self.state() or "▲" in self.state(), "the page to tell the state")

    def state(self) -> str:
        """What it says of the service's state."""
        return self.browser.text("#state")

    def title(self) -> str:
        """What the tab says."""
        return str(self.browser.ask("document.title"))

    def totals(self) -> dict[str, int]:
        """How much was counted in all, by the name of a chart's line and the chart's title."""
        found = {}
        for title in self.browser.texts("#charts h3"):
            for line in self.browser.texts(f"#charts > div:nth-child({self._number(title)}) li"):
                name, total = line.split("\n")[0], re.search(r"([\d,]+)(?: B \(.*\))? in total", line)
                if total:
                    found[f"{name}: {title}"] = int(total[1].replace(",", ""))
        return found

    def table(self, caption: str) -> dict[str, Row]:
        """The rows of a table, by their heading, without the marks of what should not be."""
        script = """[...document.querySelectorAll("table")]
          .filter((table) => table.caption.textContent.startsWith(%r))
          .map((table) => [...table.tBodies[0].rows].map((row) => [...row.cells].map((cell) => cell.innerText)))[0]"""
        return {row[0].removeprefix("▲ "): tuple(row[1:]) for row in self.browser.ask(script % caption)}

    def counts(self, caption: str) -> dict[str, int]:
        """How often each value of a label was counted in all, without those that never were."""
        rows = self.table(caption)
        return {value: int(row[1].replace(",", "")) for value, row in rows.items() if value != "none"}

    def observed(self) -> int:
        """How many observations the histogram of the window has."""
        return sum(int(row[0].replace(",", "")) for row in self.table("Histogram").values())

    def _number(self, title: str) -> int:
        return self.browser.texts("#charts h3").index(title) + 1
