"""`stentor-client trace` against a real server."""

from pathlib import Path

from processes import Server
from terminal import Terminal


def test_on_a_terminal(tmp_path: Path) -> None:
    """On a terminal the waterfall, of a Unix socket as well, has colours if wanted, and no line is too wide."""
    path = tmp_path / "stentor.sock"
    command = ("stentor-client", "trace", "--target")
    with Server("--workers", "1", "--unix", str(path)) as server:
        with Terminal(*command, server.target, columns=90) as terminal:
            code, shown = terminal.end()
            assert b"\x1b[32m" in terminal.shown
        assert (code, "ok: " in shown) == (0, True)
        assert max(map(len, shown.splitlines())) <= 90
        with Terminal(*command, f"unix:{path}", environment={"NO_COLOR": "1"}) as terminal:
            assert terminal.end()[0] == 0
            assert b"\x1b[3" not in terminal.shown
