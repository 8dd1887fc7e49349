"""`stentor-client send`, as a person and as a pipe use it."""

import hashlib
import os
import signal
import subprocess
import threading
from pathlib import Path

from processes import BIN, ENVIRONMENT, Server, running
from terminal import Terminal
from waiting import SECONDS


def test_file_to_a_unix_socket(tmp_path: Path) -> None:
    """A file, which cannot be polled, is streamed as well as a pipe; a target can be a Unix socket."""
    file, path = tmp_path / "data", tmp_path / "stentor.sock"
    file.write_bytes(os.urandom(2_000_000))
    command = [f"{BIN}/stentor-client", "send", "--target", f"unix:{path}"]
    with Server("--unix", str(path)), file.open("rb") as stdin:
        sent = subprocess.run(command, stdin=stdin, capture_output=True, env=ENVIRONMENT, timeout=SECONDS, check=True)
    assert sent.stdout == file.read_bytes().upper()


def test_large_stream_takes_little_memory(server: Server) -> None:
    """Many times the memory of either side passes through both, exact, and neither grows with it."""
    size = 256 << 20
    block = os.urandom(1 << 20)
    expected, got = hashlib.sha256(), hashlib.sha256()
    with running("stentor-client", "send", "--target", server.target, stdin=subprocess.PIPE) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        stdin, stdout = client.stdin, client.stdout

        def feed() -> None:
            for _ in range(size // len(block)):
                stdin.write(block)
                expected.update(block.upper())
            stdin.close()

        feeder = threading.Thread(target=feed)
        feeder.start()
        received = peak = 0
        while part := stdout.read(1 << 20):
            got.update(part)
            received += len(part)
            peak = max(peak, _peak_bytes(client.pid))
        feeder.join()
        assert client.wait(SECONDS) == 0
    assert received == size
    assert got.digest() == expected.digest()
    assert peak < 100 << 20
    assert [pid for pid in server.worker_pids() if _peak_bytes(pid) > 100 << 20] == []


def test_reader_that_leaves(shared_server: Server) -> None:
    """When the reader of standard output leaves, `send` ends as a filter does, without a word."""
    send = f"{BIN}/stentor-client send --target {shared_server.target}"
    piped = _shell(f'head -c 50000000 /dev/zero | {send} | head -c 1 | wc -c; echo "${{PIPESTATUS[@]}}"')
    counted, statuses = piped.stdout.decode().splitlines()
    assert (counted, statuses.split()[1], piped.stderr) == ("1", "141", b"")


def test_closed_standard_input(shared_server: Server) -> None:
    """With standard input closed there is nothing to send; the socket does not get its number."""
    sent = _shell(f"exec {BIN}/stentor-client send --target {shared_server.target} <&-")
    assert (sent.returncode, sent.stdout, sent.stderr) == (0, b"", b"")


def test_interrupt_while_waiting_for_input(shared_server: Server) -> None:
    """Ctrl-C ends it at once with exit code 130 and no traceback."""
    command = [f"{BIN}/stentor-client", "send", "--target", shared_server.target]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=ENVIRONMENT) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        client.stdin.write(b"a")
        client.stdin.flush()
        assert client.stdout.read(1) == b"A"
        client.send_signal(signal.SIGINT)
        assert client.wait(SECONDS) == 130
        assert client.communicate()[1].strip() == b""


def test_dumb_terminal(shared_server: Server) -> None:
    """On a terminal that knows no commands each line is sent and its reply shown as well, until Ctrl-D."""
    command = ("stentor-client", "send", "--target", shared_server.target)
    with Terminal(*command, environment={"TERM": "dumb"}) as terminal:
        terminal.until("> ")
        terminal.type("again, wiö\n")
        terminal.until("AGAIN, WIö")
        terminal.until("> ")
        terminal.type(b"\x04")
        assert terminal.end()[0] == 0


def _shell(command: str) -> "subprocess.CompletedProcess[bytes]":
    bash = ["bash", "-c", command]
    nothing = subprocess.DEVNULL
    return subprocess.run(bash, stdin=nothing, capture_output=True, env=ENVIRONMENT, timeout=SECONDS, check=False)


def _peak_bytes(pid: int) -> int:
    """Return the most memory that a process has had resident, or 0 when it has gone."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            return next((int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM")), 0)
    except (FileNotFoundError, ProcessLookupError):
        return 0
