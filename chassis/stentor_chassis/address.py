"""Socket addresses, and their printed form."""

from typing import Any

# Host and port, for IPv6 also flow and scope; empty for the peer on a Unix socket, whose own address is a path.
Address = tuple[Any, ...]


def printable(address: Address | str) -> str:
    """Return `host:port`, `[host]:port`, `unix:path`, or `unix` for a peer without a path."""
    if isinstance(address, str):
        return f"unix:{address}"
    if not address:
        return "unix"
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
