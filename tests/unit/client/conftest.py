"""Fixtures of the client's unit tests."""

from collections.abc import Callable

import pytest

from stentor_chassis.counters.board import Board
from stentor_chassis.counters.metrics import Schema
from stentor_client.metrics import SCHEMA
from unit.client.probing import NewProbing, Probing
from unit.looping import Events


@pytest.fixture
def probing(new_board: Callable[[Schema, int], Board], events: Events) -> NewProbing:
    """Makes probes; to be called within the loop."""
    return lambda target, **changes: Probing(target, new_board(SCHEMA, 2), events, **changes)
