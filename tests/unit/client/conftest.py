"""Fixtures of the client's unit tests."""

from collections.abc import Callable

import pytest

from stentor_chassis.counters.metrics import Schema
from stentor_chassis.counters.shared_counters import SharedCounters
from stentor_client.metrics import SCHEMA
from unit.client.probing import NewProbing, Probing
from unit.looping import Events


@pytest.fixture
def probing(new_counters: Callable[[Schema, int], SharedCounters], events: Events) -> NewProbing:
    """Makes probes; to be called within the loop."""
    return lambda target, **changes: Probing(target, new_counters(SCHEMA, 2), events, **changes)
