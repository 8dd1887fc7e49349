"""Networks that are allowed or trusted, and addresses to listen on. Brackets are accepted: we print them ourselves."""

import ipaddress
import re
from typing import Any

import click

from stentor_chassis.options.text import Listed, Text

_BRACKETS = re.compile(r"\[([0-9A-Fa-f:.]+(%\w+)?)\](?=[,/]|$)")
_WITH_PORT = re.compile(r"(\[.*\]|[^:]+):[0-9]+")
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
    text = _BRACKETS.sub(r"\1", text)
    if not re.fullmatch(r"[0-9A-Fa-f:.]+(/[0-9]{1,3})?", text):
        return None
    try:
        return ipaddress.ip_interface(text)
    except ValueError:
        return None


class Hosts(Text):
    """Addresses or names, separated by commas; the value has neither blanks nor brackets."""

    name = "host[,host]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Parse, or fail if one is empty or has a port, which another option takes."""
        hosts = [host.strip() for host in super().convert(value, param, ctx).split(",")]
        for host in hosts:
            if not host:
                self.fail(f"{value!r} has an empty address", param, ctx)
            if _WITH_PORT.fullmatch(host):
                self.fail(f"{host!r} has a port, which is an option of its own", param, ctx)
        return _BRACKETS.sub(r"\1", ",".join(hosts))
