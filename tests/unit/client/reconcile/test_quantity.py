"""What is compared."""

from dataclasses import replace
from typing import Any

import pytest

from stentor_client.reconcile.quantity import QUANTITIES, Quantity, Side
from stentor_client.reconcile.reading import Counts, Reading, Samples, of_client, of_server
from unit.client.reconcile.endpoints import Client, Server, pair


def _reading(counts: Counts) -> list[Reading]:
    return [Reading(began=1, ended=2, started=(0,), exchange_seconds=0, counts=counts)]


def _values(quantity: Quantity, client: Client, server: Server) -> tuple[float, float]:
    readings = {
        Side.CLIENT: _reading(of_client(Samples("URL", client.text()))),
        Side.SERVER: _reading(of_server(Samples("URL", server.text()))),
    }
    ((left,), (right,)) = (count.points(readings[count.side]) for count in (quantity.left, quantity.right))
    assert (left.began, left.ended) == (1, 2)
    return left.value, right.value


def _unequal(client: Client, server: Server) -> list[str]:
    values = {quantity.name: _values(quantity, client, server) for quantity in QUANTITIES}
    return [name for name, (left, right) in values.items() if left != right]


@pytest.mark.parametrize(
    ("side", "change", "unequal"),
    [
        (Side.SERVER, {}, []),
        (Side.SERVER, {"accepted": 4}, ["connections"]),
        (Side.SERVER, {"accepted": 2, "rejected": 1}, []),
        (Side.SERVER, {"active": 0}, ["open connections"]),
        (Side.SERVER, {"lost": 1}, []),
        (Side.SERVER, {"received": 999, "sent": 999}, ["bytes to the server", "bytes back"]),
        (Side.SERVER, {"sent": 999}, ["bytes back", "server: received = sent + unsent + waiting"]),
        (Side.SERVER, {"sent": 900, "unsent": 60, "waiting": 40}, ["bytes back"]),
        (Side.CLIENT, {"sent": 1001}, ["bytes to the server", "client: sent = received"]),
        (Side.CLIENT, {"received": 999}, ["bytes back", "client: sent = received"]),
        (Side.CLIENT, {"opened": 4}, ["connections"]),
        (Side.CLIENT, {"opened": 4, "active": 2}, ["connections", "open connections"]),
    ],
)
def test_what_each_count_upsets(side: Side, change: dict[str, Any], unequal: list[str]) -> None:
    """A count that is off upsets those equations that it stands in."""
    client, server = pair()
    if side is Side.CLIENT:
        client = replace(client, **change)
    else:
        server = replace(server, **change)
    assert _unequal(client, server) == unequal
