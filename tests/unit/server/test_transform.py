"""Upper case, in place."""

from hypothesis import given
from hypothesis import strategies as st

from stentor_server.transform import TRANSFORMS, echo, upper


@given(st.binary(max_size=5000))
def test_upper_is_bytes_upper(data: bytes) -> None:
    """For any bytes the transform gives what Python's own gives."""
    chunk = bytearray(data)
    upper(memoryview(chunk))
    assert data.upper() == chunk


@given(st.binary(max_size=300), st.data())
def test_upper_stays_within_its_chunk(data: bytes, draw: st.DataObject) -> None:
    """Bytes beside the chunk, in the same buffer, are not touched."""
    start = draw.draw(st.integers(0, len(data)))
    end = draw.draw(st.integers(start, len(data)))
    buffer = bytearray(data)
    upper(memoryview(buffer)[start:end])
    assert data[:start] + data[start:end].upper() + data[end:] == buffer


def test_upper_changes_a_to_z_only() -> None:
    """Of all byte values exactly the 26 small letters change, also in a chunk larger than any vector register."""
    for size in (256, 256 * 1024):
        data = bytes(range(256)) * (size // 256)
        chunk = bytearray(data)
        upper(memoryview(chunk))
        changed = {before for before, after in zip(data, chunk, strict=True) if before != after}
        assert set(range(ord("a"), ord("z") + 1)) == changed
        assert data.upper() == chunk


@given(st.binary(max_size=300))
def test_echo_changes_nothing(data: bytes) -> None:
    """The echo leaves every byte as it is."""
    chunk = bytearray(data)
    echo(memoryview(chunk))
    assert data == chunk


def test_names() -> None:
    """The names on the command line mean these functions."""
    assert {"upper": upper, "echo": echo} == TRANSFORMS
