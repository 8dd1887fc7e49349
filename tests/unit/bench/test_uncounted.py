"""The server without its counters."""

import re
import socket
from pathlib import Path

from bench.contender import stentor
from bench.uncounted import uncounted, without_counting
from waiting import until

COUNTING = (
    "row[_SENT] += 1; self._row[_SENT] += self.sent; self.server.row[SCHEMA.slot(CLOSED, reason)] += 1; "
    "lane.row[_WRITE_BUFFER] -= 1; self._durations.observe(5)"
)
OTHER = "self.sent += 1; row[_SENT] = 1; self.counts[row] += 1; observe(5)"
COUNTERS = "connections_accepted_total|received_bytes_total|sent_bytes_total|connection_duration_seconds_count"


def test_only_statements_that_count_are_removed() -> None:
    """All others stay."""
    assert without_counting(f"{COUNTING}; {OTHER}").splitlines() == ["pass"] * 5 + OTHER.split("; ")


def test_it_counts_nothing(tmp_path: Path) -> None:
    """The copy serves like the original, and counts neither connections nor bytes; the original counts both."""
    for packages, counted in ((None, {"1.0", "2.0"}), (uncounted(tmp_path), {"0.0"})):
        with stentor(packages=packages).running((0,), tmp_path) as server:
            with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
                connection.sendall(b"ab")
                assert connection.recv(2, socket.MSG_WAITALL) == b"AB"
            until(lambda: any("connection.closed" in log.read_text() for log in tmp_path.glob("*.log")), "its end")
            found = re.findall(rf"^stentor_server_(?:{COUNTERS}) (\S+)", server.get("/metrics"), re.MULTILINE)
        assert len(found) == 4
        assert set(found) == counted
