"""Reads samples in Prometheus' text format.

The parser of prometheus_client keeps every sample; this one reads untrusted input in linear time.
"""

import re
from collections.abc import Iterator
from io import StringIO

MOST_COUNT = 1 << 63  # no counter gets there

# Possessive throughout: time grows linearly with the length of a line, whatever it contains.
_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*+"
_QUOTED = r'"(?:[^"\\]++|\\.)*+"'
_SAMPLE = re.compile(
    rf'(?:({_NAME})|(?=\{{))\s*+(?:\{{((?:[^"}}]++|{_QUOTED})*+)\}})?+\s*+'  # name and labels
    r"([^\s_]++)(?:\s++[-+.\deE]++)?+\s*+(?:#.*)?"  # value, time, exemplar
)
_LABEL = re.compile(rf"\s*+({_NAME})\s*+=\s*+({_QUOTED})\s*+(?:,\s*+|$)")
_ESCAPED = re.compile(r'\\([\\n"])')


def samples(text: str) -> Iterator[tuple[str, dict[str, str], float]]:
    """Yield name, labels and value of each sample, except those with names that need quotes.

    Raises:
        ValueError: a line is neither a sample nor a comment.

    """
    for line in map(str.strip, StringIO(text)):
        if not line or line.startswith("#"):
            continue
        sample = _SAMPLE.fullmatch(line)
        if not sample:
            raise ValueError("not a sample")
        name, labels, number = sample.groups()
        value = float(number)
        if name:
            # A float cannot represent all digits of a large count.
            exact = int(number) if number.isdecimal() and value < MOST_COUNT else value
            yield name, _labels(labels or ""), exact


def _labels(text: str) -> dict[str, str]:
    labels: dict[str, str] = {}
    end = 0
    while end < len(text):
        label = _LABEL.match(text, end)
        if not label or label[1] in labels:
            raise ValueError("not labels")
        labels[label[1]] = _ESCAPED.sub(lambda found: "\n" if found[1] == "n" else found[1], label[2][1:-1])
        end = label.end()
    return labels
