"""The transforms, in place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stentor_server.path.transform import TRANSFORMS, translate


def _transformed(name: str, data: bytes) -> bytes:
    chunk = bytearray(data)
    translate(memoryview(chunk), TRANSFORMS[name], inplace=True)
    return bytes(chunk)


@given(st.binary(max_size=5000))
def test_upper_is_bytes_upper(data: bytes) -> None:
    """For any bytes the transform gives what Python's own gives."""
    assert data.upper() == _transformed("upper", data)


@given(st.binary(max_size=300), st.data())
def test_upper_stays_within_its_chunk(data: bytes, draw: st.DataObject) -> None:
    """Bytes beside the chunk, in the same buffer, are not touched."""
    start = draw.draw(st.integers(0, len(data)))
    end = draw.draw(st.integers(start, len(data)))
    buffer = bytearray(data)
    translate(memoryview(buffer)[start:end], TRANSFORMS["upper"], inplace=True)
    assert data[:start] + data[start:end].upper() + data[end:] == buffer


@pytest.mark.parametrize("size", [256, 256 * 1024])
def test_upper_changes_a_to_z_only(size: int) -> None:
    """Of all byte values exactly the 26 small letters change, also in a chunk larger than any vector register."""
    data = bytes(range(256)) * (size // 256)
    chunk = _transformed("upper", data)
    changed = {before for before, after in zip(data, chunk, strict=True) if before != after}
    assert set(range(ord("a"), ord("z") + 1)) == changed
    assert data.upper() == chunk


@given(st.binary(max_size=300))
def test_echo_changes_nothing(data: bytes) -> None:
    """The echo leaves every byte as it is."""
    assert data == _transformed("echo", data)


def test_names() -> None:
    """The names are those of the command line, and each means another byte for every byte."""
    assert {name: len(table) for name, table in TRANSFORMS.items()} == {"upper": 256, "echo": 256}
