"""What a request for metrics accepts, by RFC 9110: the libraries ignore weights, and confirm versions they lack."""

import re
from collections.abc import Callable, Sequence
from urllib.request import parse_http_list

from prometheus_client import exposition, openmetrics
from prometheus_client.registry import Collector

_Format = tuple[Callable[[Collector], bytes], str]  # and its content type
_FORMATS: tuple[_Format, ...] = (  # the first of two that are equally welcome is chosen
    (exposition.generate_latest, exposition.CONTENT_TYPE_PLAIN_0_0_4),
    (openmetrics.exposition.generate_latest, openmetrics.exposition.CONTENT_TYPE_LATEST),
)
_WEIGHT = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")


def preferred_format(accept: Sequence[str]) -> _Format:
    """Return the format that the values of `Accept` prefer, and plain text if they accept none."""
    return max(_FORMATS, key=lambda each: _welcome(each[1], accept))


def prefers_gzip(accept_encoding: Sequence[str]) -> bool:
    """Return whether the values of `Accept-Encoding` want gzip."""
    weights = {name: weight for name, _, weight in _elements(accept_encoding)}
    return weights.get("gzip", weights.get("*", 0.0)) >= max(weights.get("identity", 0.0), 0.001)


def _welcome(content_type: str, accept: Sequence[str]) -> tuple[float, int]:
    """Return the weight of the most specific range that includes the content type, and how specific that is."""
    ((name, parameters, _),) = _elements([content_type])
    names = ["*/*", f"{name.partition('/')[0]}/*", name]
    matching = [
        (names.index(each) + len(asked), weight)
        for each, asked, weight in _elements(accept)
        if each in names and asked.items() <= parameters.items()
    ]
    return max(matching, default=(-1, 0.0))[::-1]


def _elements(values: Sequence[str]) -> list[tuple[str, dict[str, str], float]]:
    """Return the elements of a header, each with a name, parameters and a weight, unless the weight is wrong."""
    elements = []
    for element in parse_http_list(",".join(values).lower()):
        name, *parameters = (part.strip() for part in element.split(";"))
        pairs = dict(part.replace('"', "").partition("=")[::2] for part in parameters)
        weight = pairs.pop("q", "1")
        pairs.pop("escaping", None)  # of names: none of ours needs any
        if _WEIGHT.fullmatch(weight):
            elements.append((name, pairs, float(weight)))
    return elements
