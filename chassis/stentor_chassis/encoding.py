"""JSON for logs and status, for values of any type."""

import json
from typing import Any

import orjson


def encode(value: Any, *, indent: bool = False) -> bytes:
    """Return one line of JSON, or several with `indent`; values without a JSON form are written as their `str()`."""
    option = orjson.OPT_APPEND_NEWLINE | (orjson.OPT_INDENT_2 if indent else 0)
    try:
        return orjson.dumps(value, default=str, option=option)
    except TypeError:  # a string with surrogates, from a path or an argument that is not UTF-8
        return json.dumps(value, default=str, indent=2 if indent else None).encode() + b"\n"
