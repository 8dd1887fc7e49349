"""A real browser, without a window, and what the live page of an admin endpoint shows in it."""

import contextlib
import json
import os
import re
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from processes import ENVIRONMENT
from waiting import SECONDS, until


class Browser:
    """One page of Chromium's, spoken to in the DevTools protocol over a socket pair: JSON, ended by NUL."""

    def __init__(self, profile: Path) -> None:
        """Start it with a `profile` of its own."""
        self._ours, theirs = socket.socketpair()
        self._ours.settimeout(SECONDS)
        self._read = b""
        self._number = 0
        self._session = self._context = ""
        self.complaints: list[str] = []  # what the page wrote to its console, errors of scripts, what was refused
        self.requests: list[str] = []
        command = [
            *("chromium", "--headless", "--disable-gpu", "--remote-debugging-pipe", f"--user-data-dir={profile}"),
            *(["--no-sandbox"] if os.geteuid() == 0 else []),  # it refuses to be root with one
        ]
        with theirs:
            number = theirs.fileno()
            redirected = ["bash", "-c", f'exec "$@" 3<&{number} 4>&{number}', "bash", *command]  # where it looks
            self._process = subprocess.Popen(
                redirected, pass_fds=[number], env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )

    def __enter__(self) -> Self:
        """Use it."""
        return self

    def begin(self) -> Self:
        """Begin a test, in an empty page that shares nothing with the one before."""
        self._session = ""
        if self._context:
            self.call("Target.disposeBrowserContext", browserContextId=self._context)
        self._context = self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call("Target.createTarget", url="about:blank", browserContextId=self._context)["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.complaints.clear()
        self.requests.clear()
        for domain in ("Page", "Runtime", "Log", "Network", "Accessibility"):
            self.call(f"{domain}.enable")
        self.look()
        return self

    def __exit__(self, *_: object) -> None:
        """Close the browser, and be sure that it is gone."""
        self._session = ""
        try:
            with contextlib.suppress(ConnectionError):  # it may be gone before it has answered
                self.call("Browser.close")
            self._process.wait(SECONDS)
        finally:
            self._process.kill()
            self._process.wait()
            self._ours.close()

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """Call a method of the protocol, and return its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        message |= {"sessionId": self._session} if self._session else {}
        self._ours.sendall(json.dumps(message).encode() + b"\0")
        while (answer := self._receive()).get("id") != self._number:
            self._note(answer)
        if "error" in answer:
            raise AssertionError(f"{method}: {answer['error']}")
        result: dict[str, Any] = answer["result"]
        return result

    def look(self, *, width: int = 1400, dark: bool = False, reduced_motion: bool = False) -> None:
        """Be a device of this width in pixels, with these preferences."""
        screen = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 500}
        self.call("Emulation.setDeviceMetricsOverride", **screen)
        features = {
            "prefers-color-scheme": "dark" if dark else "light",
            "prefers-reduced-motion": "reduce" if reduced_motion else "no-preference",
        }
        self.call(
            "Emulation.setEmulatedMedia", features=[{"name": name, "value": value} for name, value in features.items()]
        )

    def open(self, url: str) -> None:
        """Go to a page, and wait until the one before is gone."""
        answer = self.call("Page.navigate", url=url)
        assert "errorText" not in answer
        until(lambda: self._frame()["loaderId"] == answer["loaderId"], f"{url} to be the page")

    def ask(self, expression: str) -> Any:
        """Return what an expression of JavaScript, or what it promises, comes to on the page."""
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise AssertionError(answer["exceptionDetails"])
        return answer["result"].get("value")

    def text(self, selector: str) -> str:
        """Return the text of an element as it is seen; `LookupError` where there is none."""
        found = self.ask(f"document.querySelector({json.dumps(selector)})?.innerText ?? null")
        if found is None:
            raise LookupError(selector)
        return str(found)

    def texts(self, selector: str) -> list[str]:
        """Return the texts of all such elements as they are seen."""
        return list(self.ask(f"[...document.querySelectorAll({json.dumps(selector)})].map((each) => each.innerText)"))

    def press(self, key: str) -> None:
        """Press a key, such as `Tab` or `Enter`."""
        codes = {"Tab": 9, "Enter": 13}
        named = {"key": key, "code": key, "windowsVirtualKeyCode": codes[key]}
        text = {"text": "\r"} if key == "Enter" else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", **named, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", **named)

    def roles(self) -> Sequence[tuple[str, str]]:
        """Return role and name of all that the page tells those who do not see it, in the order of reading."""
        nodes = {each["nodeId"]: each for each in self.call("Accessibility.getFullAXTree")["nodes"]}
        found, waiting = [], [next(iter(nodes))]
        while waiting:
            node = nodes[waiting.pop()]
            waiting.extend(child for child in reversed(node.get("childIds", [])) if child in nodes)
            if name := node.get("name", {}).get("value"):
                found.append((str(node["role"]["value"]), str(name)))
        return found

    def _frame(self) -> dict[str, Any]:
        frame: dict[str, Any] = self.call("Page.getFrameTree")["frameTree"]["frame"]
        return frame

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._read:
            some = self._ours.recv(1 << 20)
            if not some:
                raise ConnectionError("the browser is gone")
            self._read += some
        line, _, self._read = self._read.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        return message

    def _note(self, event: dict[str, Any]) -> None:
        told = event.get("params", {})
        if event.get("sessionId") != self._session:
            return  # of a page before
        match event.get("method"):
            case "Network.requestWillBeSent":
                self.requests.append(told["request"]["url"])
            case "Log.entryAdded":
                self.complaints.append(told["entry"]["text"])
            case "Runtime.exceptionThrown" | "Runtime.consoleAPICalled":
                self.complaints.append(json.dumps(told))


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

    def table(self, caption: str) -> dict[str, tuple[str, ...]]:
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
