"""The transforms, in place."""

from hypothesis import given
from hypothesis import strategies as st

from stentor_server.path.transform import TRANSFORMS, translate


@given(st.binary(max_size=2000).map(lambda data: data * 99), st.data())
def test_upper(data: bytes, draw: st.DataObject) -> None:
    """The transform gives what Python's own gives, in a chunk of any size, and nothing beside the chunk changes."""
    start = draw.draw(st.integers(0, len(data)))
    end = draw.draw(st.integers(start, len(data)))
    buffer = bytearray(data)
    translate(memoryview(buffer)[start:end], TRANSFORMS["upper"], inplace=True)
    assert data[:start] + data[start:end].upper() + data[end:] == buffer


def test_tables() -> None:
    """Of all byte values `upper` changes the 26 small letters, and `echo` none."""
    every = bytes(range(256))
    assert {name: bytes(translate(every, table)) for name, table in TRANSFORMS.items()} == {
        "upper": every.upper(),
        "echo": every,
    }
