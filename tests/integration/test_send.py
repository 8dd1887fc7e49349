"""`stentor-client send`, as a person and as a pipe use it."""

import hashlib
import os
import pty
import signal
import socket
import subprocess
import threading
from pathlib import Path

import pytest

import lying
from processes import BIN, ENVIRONMENT, Server, run
from waiting import until


def test_arguments(shared_server: Server) -> None:
    """Arguments are sent as one line, and the reply is all that standard output gets."""
    sent = run("stentor-client", "send", "--target", shared_server.target, "hello", "wörld")
    assert (sent.returncode, sent.stdout, sent.stderr) == (0, "HELLO WöRLD\n".encode(), b"")


@pytest.mark.parametrize("size", [0, 1, 65_537, 3_000_000])
def test_standard_input(shared_server: Server, size: int) -> None:
    """Standard input is sent as it is, whatever it holds."""
    data = os.urandom(size)
    sent = run("stentor-client", "send", "--target", shared_server.target, stdin=data)
    assert (sent.returncode, sent.stderr) == (0, b"")
    assert sent.stdout == data.upper()


def test_standard_input_from_a_file(shared_server: Server, tmp_path: Path) -> None:
    """A file, which cannot be polled, is streamed as well as a pipe."""
    file = tmp_path / "data"
    file.write_bytes(os.urandom(2_000_000))
    command = [f"{BIN}/stentor-client", "send", "--target", shared_server.target]
    with file.open("rb") as stdin:
        sent = subprocess.run(command, stdin=stdin, capture_output=True, env=ENVIRONMENT, timeout=60, check=True)
    assert sent.stdout == file.read_bytes().upper()


def test_unix_socket(tmp_path: Path) -> None:
    """A target can be a Unix socket."""
    path = tmp_path / "stentor.sock"
    with Server("--unix", str(path)):
        sent = run("stentor-client", "send", "--target", f"unix:{path}", "hello")
    assert sent.stdout == b"HELLO\n"


def test_large_stream_takes_little_memory(server: Server) -> None:
    """Many times the memory of either side passes through both, exact, and neither grows with it."""
    size = 256 << 20
    block = os.urandom(1 << 20)
    expected, got = hashlib.sha256(), hashlib.sha256()
    command = [f"{BIN}/stentor-client", "send", "--target", server.target]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ENVIRONMENT) as client:
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
        received, peaks = 0, [0]
        while part := stdout.read(1 << 20):
            got.update(part)
            received += len(part)
            peaks.append(_peak_bytes(client.pid) or peaks[-1])
        feeder.join()
        assert client.wait(30) == 0
    assert received == size
    assert got.digest() == expected.digest()
    assert peaks[-1] < 100 << 20
    assert [pid for pid in server.worker_pids() if _peak_bytes(pid) > 100 << 20] == []


@pytest.mark.parametrize(
    ("behaviour", "code", "words"),
    [
        (lying.flip, 5, "mismatch: {target}: at byte 4 of the reply, expected 'O\\n' and got 'N\\n'"),
        (lying.truncate, 5, "short: {target}: the server ended its side after 5 B of the reply, '\\n' was to follow"),
        (lying.add, 5, "extra: {target}: at byte 6 of the reply, got '!' that nobody asked for"),
        (lying.close_early, 4, "eof: {target}: the server closed the connection before any byte of the reply"),
        (lying.reset, 4, "reset: {target}: the connection was cut before any byte of the reply"),
        (lying.stay_silent, 4, "timeout: {target}: no progress for 0.3 s before any byte of the reply"),
    ],
)
def test_every_lie_is_called_by_its_name(behaviour: lying.Behaviour, code: int, words: str) -> None:
    """Each lie of a server has its own outcome, in one line, and its own exit code."""
    with lying.LyingServer(behaviour) as server:
        sent = run("stentor-client", "send", "--timeout", "300ms", "--target", server.target, "hello")
        message = sent.stderr.decode()
        assert sent.returncode == code
        assert words.format(target=server.target) in message
        assert message.count("\n") == 1


def test_nobody_to_connect_to(tmp_path: Path) -> None:
    """A port that refuses, a name without address, a missing socket: each by its name, exit code 3."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # bound, and not listening
        refused = run("stentor-client", "send", "--target", f"127.0.0.1:{bound.getsockname()[1]}", "x")
    missing = run("stentor-client", "send", "--target", f"unix:{tmp_path}/none", "x")
    unknown = run("stentor-client", "send", "--target", "nobody.invalid:8080", "x")
    outcomes = [each.stderr.decode().split(":")[1].strip() for each in (refused, missing, unknown)]
    assert outcomes == ["refused", "unreachable", "dns"]
    assert [each.returncode for each in (refused, missing, unknown)] == [3, 3, 3]


def test_connecting_takes_too_long() -> None:
    """A connection that is not taken is given up after the time for it."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        address = listener.getsockname()
        fillers = []
        while True:  # once the queue is full, further handshakes are not answered
            filler = socket.socket()
            fillers.append(filler)
            filler.settimeout(0.2)
            try:
                filler.connect(address)
            except TimeoutError:
                break
        sent = run("stentor-client", "send", "--connect-timeout", "200ms", "--target", f"127.0.0.1:{address[1]}", "x")
        for filler in fillers:
            filler.close()
    assert (sent.returncode, b"connect_timeout" in sent.stderr) == (3, True)


def test_reader_that_leaves(shared_server: Server) -> None:
    """When the reader of standard output leaves, `send` ends as a filter does, without a word."""
    command = (
        f"head -c 50000000 /dev/zero | {BIN}/stentor-client send --target {shared_server.target} | head -c 1 | wc -c"
    )
    piped = _shell(f'{command}; echo "${{PIPESTATUS[@]}}"')
    counted, statuses = piped.stdout.decode().splitlines()
    assert counted == "1"
    assert statuses.split()[1] == "141"
    assert piped.stderr == b""


def test_output_that_cannot_be_written(shared_server: Server) -> None:
    """A full disk behind standard output is one line and exit code 1."""
    command = [f"{BIN}/stentor-client", "send", "--target", shared_server.target, "x"]
    with open("/dev/full", "wb") as full:
        sent = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, env=ENVIRONMENT, timeout=60, check=False)
    assert sent.returncode == 1
    assert sent.stderr == b"stentor-client: cannot write standard output: No space left on device\n"


def test_closed_standard_output(shared_server: Server) -> None:
    """With standard output closed the reply has nowhere to go, and that is told."""
    sent = _shell(f"exec {BIN}/stentor-client send --target {shared_server.target} hello >&-")
    assert sent.returncode == 1
    assert sent.stderr == b"stentor-client: cannot write standard output: Bad file descriptor\n"


def test_closed_standard_input(shared_server: Server) -> None:
    """With standard input closed there is nothing to send; the socket does not take its place."""
    sent = _shell(f"exec {BIN}/stentor-client send --target {shared_server.target} <&-")
    assert (sent.returncode, sent.stdout, sent.stderr) == (0, b"", b"")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGHUP, -signal.SIGHUP)])
def test_interrupt_while_waiting_for_input(shared_server: Server, number: int, code: int) -> None:
    """Ctrl-C ends it at once with exit code 130 and no traceback, and so does the end of its terminal."""
    heeding = ["env", "--default-signal=HUP"]  # whatever the tests were started with
    command = [*heeding, f"{BIN}/stentor-client", "send", "--target", shared_server.target]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT
    ) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        assert client.stderr is not None
        client.stdin.write(b"a")
        client.stdin.flush()
        assert client.stdout.read(1) == b"A"
        client.send_signal(number)
        assert client.wait(20) == code
        assert client.stderr.read().strip() == b""


def _shell(command: str) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        ["bash", "-c", command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=ENVIRONMENT,
        timeout=60,
        check=False,
    )


def _peak_bytes(pid: int) -> int:
    """Return the most memory that a process has had resident, or 0 when it has gone."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            return next((int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM")), 0)
    except (FileNotFoundError, ProcessLookupError):
        return 0


def test_conversation_on_a_terminal(shared_server: Server) -> None:
    """On a terminal each line is sent and its reply shown, until Ctrl-D."""
    here, there = pty.openpty()
    environment = {**ENVIRONMENT, "TERM": "dumb"}
    command = [f"{BIN}/stentor-client", "send", "--target", shared_server.target]
    with subprocess.Popen(command, stdin=there, stdout=there, stderr=there, env=environment, close_fds=True) as client:
        os.close(there)
        screen = bytearray()

        def shows(text: bytes) -> bool:
            if text not in screen:
                screen.extend(os.read(here, 4096))
            return text in screen

        for typed, shown in ((b"hello\n", b"HELLO"), (b"again, wi\xc3\xb6\n", "AGAIN, WIö".encode()), (b"\x04", b"")):
            until(lambda: shows(b"> "), "the prompt")
            screen.clear()
            os.write(here, typed)
            until(lambda shown=shown: shows(shown), "the reply")  # type: ignore[misc]
        assert client.wait(20) == 0
    os.close(here)
