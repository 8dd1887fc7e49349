"""JSON for logs and status, of whatever a value is."""

import json
from typing import Any

import orjson


def encode(value: Any, *, indent: bool = False) -> bytes:
    """Return one line of JSON, or with `indent` several; what JSON has no form for is written as its `str()`."""
    option = orjson.OPT_APPEND_NEWLINE | (orjson.OPT_INDENT_2 if indent else 0)
    try:
        return orjson.dumps(value, default=str, option=option)
    except TypeError:  # a string that is no Unicode: bytes of a path or an argument that are not UTF-8
        return json.dumps(value, default=str, indent=2 if indent else None).encode() + b"\n"
