"""The server without its counters."""

import re
import socket
from pathlib import Path

from bench.contender import stentor
from bench.scrape import metrics
from bench.uncounted import uncounted, without_counting
from waiting import until

SOURCE = """
def ready(self, row):
    row[_SENT] += 1
    self._row[_SENT] += self.sent
    self.server.row[SCHEMA.slot(CLOSED, reason)] += 1
    self._durations.observe(5)
    self.sent += 1
    row[_SENT] = 1
    self.counts[row] += 1
    observe(5)
"""
_COUNTED = "connections_accepted_total|received_bytes_total|sent_bytes_total|connection_duration_seconds_count"


def test_what_is_left_out() -> None:
    """What counts is left out, and nothing else."""
    left = [line.strip() for line in without_counting(SOURCE).splitlines()]
    assert left == [
        "def ready(self, row):",
        *["pass"] * 4,
        "self.sent += 1",
        "row[_SENT] = 1",
        "self.counts[row] += 1",
        "observe(5)",
    ]


def test_counts_nothing(tmp_path: Path) -> None:
    """The copy serves as the original does, and counts no connection and no byte; the original counts both."""
    for packages, counted in ((None, {"1.0", "2.0"}), (uncounted(tmp_path), {"0.0"})):
        with stentor(packages=packages).running((0,), tmp_path) as server:
            with socket.create_connection(("127.0.0.1", server.port)) as connection:
                connection.sendall(b"ab")
                assert connection.recv(2) == b"AB"
            until(lambda: "connection.closed" in _log(tmp_path), "the end of the connection")
            found = re.findall(rf"^stentor_server_(?:{_COUNTED}) (\S+)", metrics(server), re.MULTILINE)
        assert len(found) == 4
        assert set(found) == counted


def _log(folder: Path) -> str:
    (path,) = folder.glob("*.log")
    return path.read_text(encoding="utf-8")
