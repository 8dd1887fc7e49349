"""Socket addresses, and their printed form."""

from typing import Any

Address = tuple[Any, ...]  # host and port, for IPv6 also flow and scope; empty for the peer on a Unix socket


def printable(address: Address) -> str:
    """Return `host:port`, `[host]:port`, or `unix`."""
    if not address:
        return "unix"
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
