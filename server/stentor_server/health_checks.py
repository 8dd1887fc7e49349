"""The account of the server's health checks, which tell the admin endpoint what they did.

A check says that it begins, makes its exchange, and says what it moved. Whatever stops it half way, a check that said
the first and not the second is known to be one whose connection and bytes are not known. Were there one message only,
after the exchange, a check that is killed before it would pass for a client.
"""

from collections.abc import Mapping

from stentor_server.metrics import (
    HEALTH_CHECK_RECEIVED,
    HEALTH_CHECK_SENT,
    HEALTH_CHECKS,
    HEALTH_CHECKS_UNFINISHED,
    SCHEMA,
)

BEGAN = {"health_check": "began"}
_COUNTED = {"received_bytes": SCHEMA.slot(HEALTH_CHECK_RECEIVED), "sent_bytes": SCHEMA.slot(HEALTH_CHECK_SENT)}
_MOST_BYTES = 128  # more than a check reads at once: who reports more is no health check
_UNFINISHED = SCHEMA.slot(HEALTH_CHECKS_UNFINISHED)


def ended(received_bytes: int, sent_bytes: int) -> dict[str, str]:
    """Return what a check says after its exchange: what the server received and sent over one connection."""
    return {"health_check": "ended", "received_bytes": str(received_bytes), "sent_bytes": str(sent_bytes)}


def count(row: "memoryview[int]", query: Mapping[str, str]) -> None:
    """Count in the control process's row what a check says with the query of its request; others say nothing.

    Raises:
        ValueError: it says something that no check says.

    """
    if "health_check" not in query:
        return
    if query == BEGAN and len(query) == len(BEGAN):
        row[_UNFINISHED] += 1
        return
    if query["health_check"] != "ended" or len(query) != 1 + len(_COUNTED) or not _COUNTED.keys() <= query.keys():
        raise ValueError("a health check says health_check=began, or health_check=ended, received_bytes and sent_bytes")
    amounts = {slot: _bytes(name, query[name]) for name, slot in _COUNTED.items()}
    if not row[_UNFINISHED]:
        raise ValueError("no health check has begun")
    row[_UNFINISHED] -= 1
    row[SCHEMA.slot(HEALTH_CHECKS)] += 1
    for slot, amount in amounts.items():
        row[slot] += amount


def _bytes(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(_MOST_BYTES)) and int(text) <= _MOST_BYTES):
        raise ValueError(f"{name} is a number from 0 to {_MOST_BYTES}")
    return int(text)
