"""How the tests treat Ctrl-C, and how they are spread over processes, if pytest runs in several (`--numprocesses`)."""

import signal
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

# Tests that were started in the background ignore Ctrl-C, and so would every process that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Files whose tests share services of their own, or have thousands of connections at a time.
TOGETHER = {"test_flood.py", "test_log_recipes.py", "test_reconcile_queries.py", "test_tls.py"}


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """One test after the other, except those that share something costly, or would be in each other's way.

    Not by `--dist loadgroup`: with this pytest, xdist's groups are silently without effect.
    """

    def _split_scope(self, nodeid: str) -> str:
        """Return the name of the group of a test, which one process runs."""
        file = Path(nodeid.partition("::")[0])
        if file.parent.name == "stack" and file.name not in TOGETHER:
            return "stack"  # one compose project
        return nodeid if file.parent.name == "integration" and file.name not in TOGETHER else str(file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Scheduling:
    """Schedule by these groups."""
    return Scheduling(config, log)
