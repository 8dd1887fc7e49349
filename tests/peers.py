"""Programs of others on the other side of a connection."""

import os
import shutil
import subprocess
from typing import IO

import pytest

# Daemons are where people's paths do not go.
_PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"


def program(name: str) -> str:
    """Return the path of a program; without it the test fails, for it would prove nothing."""
    found = shutil.which(name, path=_PATH)
    if found is None:
        pytest.fail(f"{name} is missing: scripts/test-peers installs it, or says what to install")
    return found


def run_peer(name: str, *arguments: str, stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    """Run a program to its end."""
    return subprocess.run([program(name), *arguments], input=stdin, capture_output=True, timeout=60, check=False)


def converse(name: str, *arguments: str, lines: list[bytes]) -> tuple[list[bytes], bytes]:
    """Give a program its input line by line, each after the answer to the one before; return answers and errors.

    For programs that end with their input, without waiting for what is still to come.
    """
    with subprocess.Popen(
        [program(name), *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        stdin, stdout, stderr = _pipes(process)
        try:
            answers = [_answer(stdin, stdout, line) for line in lines]
            stdin.close()
            return answers, stderr.read()
        finally:
            process.kill()


def _pipes(process: "subprocess.Popen[bytes]") -> tuple[IO[bytes], IO[bytes], IO[bytes]]:
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    return process.stdin, process.stdout, process.stderr


def _answer(stdin: IO[bytes], stdout: IO[bytes], line: bytes) -> bytes:
    try:
        stdin.write(line)
        stdin.flush()
    except BrokenPipeError:
        return b""
    return stdout.readline()
