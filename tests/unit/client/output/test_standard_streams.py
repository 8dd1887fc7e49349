"""Standard input and output of a filter."""

import os
from collections.abc import Callable

import pytest

from stentor_chassis.failure import INTERNAL_ERROR, READER_GONE, USAGE, Failure
from stentor_client.output.standard_streams import TerminalText, read_in, write_out

Replace = Callable[[int, int], None]


async def _all() -> list[bytes]:
    return [chunk async for chunk in read_in()]


async def test_read(replace: Replace) -> None:
    """What comes is given as it comes, to the end."""
    read, write = os.pipe()
    replace(0, read)
    chunks = read_in()
    for part in (b"one", b"\x00\xff"):
        os.write(write, part)
        assert part == await anext(chunks)
    os.close(write)
    with pytest.raises(StopAsyncIteration):
        await anext(chunks)


async def test_unreadable(replace: Replace) -> None:
    """Input that cannot be read, such as a directory, is told in one line."""
    replace(0, os.open("/", os.O_RDONLY))
    with pytest.raises(Failure, match=r"^cannot read standard input: Is a directory$") as failure:
        await _all()
    assert failure.value.code == USAGE


def test_full(replace: Replace) -> None:
    """A full disk is told in one line."""
    replace(1, os.open("/dev/full", os.O_WRONLY))
    with pytest.raises(Failure, match=r"^cannot write standard output: No space left on device$") as failure:
        write_out(b"x")
    assert failure.value.code == INTERNAL_ERROR


def test_nobody_reads(replace: Replace) -> None:
    """When the reader has gone the code says so, without a word."""
    read, write = os.pipe()
    os.close(read)
    replace(1, write)
    with pytest.raises(Failure) as failure:
        write_out(b"x")
    assert (failure.value.code, failure.value.message) == (READER_GONE, "")


@pytest.mark.parametrize(("encoding", "expected"), [("utf-8", "ü✓"), ("latin-1", "ü\\u2713")])
def test_terminal(replace: Replace, encoding: str, expected: str) -> None:
    """A reply cannot command the terminal, and its characters are whole, wherever a chunk ends."""
    read, write = os.pipe()
    replace(1, write)
    terminal = TerminalText(encoding)
    for byte in "a\tb\x1b[2J\r\nü✓".encode() + b"\xff":
        terminal.write(memoryview(bytes([byte])))
    terminal.write(b"\xc3")
    terminal.end_line()
    terminal.end_line()  # it has ended
    assert os.read(read, 100).decode(encoding) == f"a\tb\\x1b[2J\\r\n{expected}\\xff\\xc3\n"
    os.close(read)
