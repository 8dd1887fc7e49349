"""The transforms, in place, and as the client knows them."""

from hypothesis import given
from hypothesis import strategies as st

from stentor_client.verify.verifier import EXPECTATIONS
from stentor_server.path.transform import QUESTION, TRANSFORMS, right_answer, translate


@given(st.binary(max_size=2000).map(lambda data: data * 99), st.data())
def test_upper(data: bytes, draw: st.DataObject) -> None:
    """The transform gives what Python's own gives, in a chunk of any size, and nothing beside the chunk changes."""
    start = draw.draw(st.integers(0, len(data)))
    end = draw.draw(st.integers(start, len(data)))
    buffer = bytearray(data)
    translate(memoryview(buffer)[start:end], TRANSFORMS["upper"], inplace=True)
    assert data[:start] + data[start:end].upper() + data[end:] == buffer


def test_both_sides() -> None:
    """Server and client know the same transforms, each by a table of its own; none changes digits, which name messages.

    The question of a health check distinguishes all of them.
    """
    every = bytes(range(256))
    served = {name: bytes(translate(every, table)) for name, table in TRANSFORMS.items()}
    assert served == {name: expect(every) for name, expect in EXPECTATIONS.items()}
    assert all(b"0123456789".translate(table) == b"0123456789" for table in served.values())
    assert all(right_answer(name) == expect(QUESTION) for name, expect in EXPECTATIONS.items())
    assert len({right_answer(name) for name in TRANSFORMS}) == len(TRANSFORMS)
