"""Socket addresses, and how people read them."""

import pytest

from stentor_chassis.address import printable


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ((), "unix"),
        (("192.0.2.1", 80), "192.0.2.1:80"),
        (("2001:db8::1", 80, 0, 0), "[2001:db8::1]:80"),
        (("2001:db8::1", 80), "[2001:db8::1]:80"),
    ],
)
def test_printable(address: tuple[object, ...], shown: str) -> None:
    """An address is shown as one writes it."""
    assert shown == printable(address)
