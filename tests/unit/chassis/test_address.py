"""Socket addresses, and their printed form."""

import pytest

from stentor_chassis.address import printable


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ((), "unix"),
        ("/run/socket", "unix:/run/socket"),
        (("192.0.2.1", 80), "192.0.2.1:80"),
        (("2001:db8::1", 80, 0, 0), "[2001:db8::1]:80"),
        (("2001:db8::1", 80), "[2001:db8::1]:80"),
    ],
)
def test_printable(address: tuple[object, ...] | str, shown: str) -> None:
    """An address is printed in the form that options accept."""
    assert shown == printable(address)
