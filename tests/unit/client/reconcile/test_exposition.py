"""The text format of Prometheus."""

import time

import pytest

from stentor_client.reconcile.exposition import samples

MOST_BYTES = 1 << 20  # of one exposition


@pytest.mark.parametrize(
    ("line", "labels", "value"),
    [
        ("x 1", {}, 1),
        ("x{} 1", {}, 1),
        ("x\t1.5e3\t1700000000000\r", {}, 1500),
        (f"x {(1 << 53) + 1}", {}, (1 << 53) + 1),
        ("x 9" + "9" * 400, {}, float("inf")),
        ("x -Inf", {}, float("-inf")),
        ('  x { a = "b" , c="d", } +5', {"a": "b", "c": "d"}, 5),
        (r'x{a="\\n\n\"} 2",b="},{"} 1', {"a": '\\n\n"} 2', "b": "},{"}, 1),
        (r'x{a="\t"} 1', {"a": r"\t"}, 1),
        ('x{a=""}1 # {b="c"} 0.5', {"a": ""}, 1),
    ],
)
def test_sample(line: str, labels: dict[str, str], value: float) -> None:
    """A sample is read with every way to write it."""
    text = f"# TYPE x counter\n#\n\n{line}\n# EOF"
    assert list(samples(text)) == [("x", labels, value)]


def test_others() -> None:
    """Samples with names that need quotes are skipped."""
    assert list(samples('{"x.y",a="b"} 1\n{"x"} NaN\n')) == []


WRONG = """
    x|x{|x{a}1|x{a=}1|x{a=b}1|x{a="}1|x{a="b"c="d"}1|x{a="b",a="c"}1|x{,}1|x{a="b",,}1|x{a="\\"}1|1|x 1_0|x y|x 1 z|y z
    |{"x"}|1x 1|é 1|x{é="b"} 1|x 1 2 3
"""


@pytest.mark.parametrize("wrong", [line.strip() for line in WRONG.split("|")])
def test_wrong_line(wrong: str) -> None:
    """A line that is neither a sample nor a comment is an error."""
    with pytest.raises(ValueError):
        list(samples(f"x 1\n{wrong}\n"))


@pytest.mark.parametrize(
    "text",
    [
        "x 1\n" * (MOST_BYTES // 4),
        'x{a="' + r"\"" * (MOST_BYTES // 2) + '"} 1',
        "x{" + ",".join(f'a{number}="x"' for number in range(85_000)) + "} 1",
        "x{" + '"' * MOST_BYTES + "} 1",
        'x{a="' + "\\" * MOST_BYTES,
        "x " + "1" * MOST_BYTES,
        "x" * MOST_BYTES,
        "x" + " " * MOST_BYTES + "1 " + " " * MOST_BYTES + "z",
    ],
    ids=["samples", "escapes", "labels", "quotes", "backslashes", "digits", "name", "blanks"],
)
def test_time(text: str) -> None:
    """The longest exposition takes a fraction of a second, whatever it contains."""
    began = time.thread_time()
    try:
        for _ in samples(text):
            pass
    except ValueError:
        pass
    assert time.thread_time() - began < 2
