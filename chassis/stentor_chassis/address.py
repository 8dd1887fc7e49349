"""Socket addresses, and their printed form."""

import errno
import os
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


_REMEDIES = {
    errno.EADDRINUSE: "; stop the program that uses it, or choose another port",
    errno.EADDRNOTAVAIL: "; no interface of this machine has it",
    errno.EACCES: "; ports below 1024 need root or the capability NET_BIND_SERVICE",
}


def why_not_bound(number: int) -> str:
    """Return in words why an address cannot be listened on, and what to do, for an error number."""
    return os.strerror(number) + _REMEDIES.get(number, "")
