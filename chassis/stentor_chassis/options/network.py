"""Networks, for options that allow or trust peers."""

import ipaddress
import re
from typing import Any

import click

from stentor_chassis.options.text import Listed

_MAPPED_BITS = 96  # prefix of an IPv4-mapped IPv6 address, RFC 4291 section 2.5.5.2


class Network(Listed):
    """A network such as `10.0.0.0/8` or `2001:db8::/32`, or a single address; the value is its normal form."""

    name = "network"
    empty_variable_is_wrong = True  # it would allow every peer

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Parse, or fail with the expected form."""
        interface = _parse(value)
        if interface is None:
            self.fail(f"{value!r} is not a network such as 10.0.0.0/8 or 2001:db8::/32, or an address", param, ctx)
        network, mapped = interface.network, getattr(interface.ip, "ipv4_mapped", None)
        if mapped is not None and network.prefixlen >= _MAPPED_BITS:
            # It would never match, because such peers are compared by their IPv4 addresses.
            meant = ipaddress.ip_network((mapped, network.prefixlen - _MAPPED_BITS), strict=False)
            self.fail(f"{value!r} is IPv4 written as IPv6; write {meant}", param, ctx)
        if interface.ip != network.network_address:
            self.fail(f"{value!r} has bits set after its first {network.prefixlen}; write {network}", param, ctx)
        return str(network)


def _parse(text: str) -> ipaddress.IPv4Interface | ipaddress.IPv6Interface | None:
    """Return an address with its prefix, or nothing if the text is not one; masks and zones are not allowed."""
    if not re.fullmatch(r"[0-9A-Fa-f:.]+(/[0-9]{1,3})?", text):
        return None
    try:
        return ipaddress.ip_interface(text)
    except ValueError:
        return None
