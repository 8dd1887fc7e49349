"""Admission of connections: networks and limits."""

import resource
from collections.abc import Sequence
from ipaddress import IPv6Address, ip_address, ip_network

from stentor_chassis.address import Address
from stentor_server.guard.addresses import AddressCounts
from stentor_server.metrics import RejectReason
from stentor_server.options import ServerOptions

SPARE_DESCRIPTORS = 100  # in each process, for everything except connections
_MAX_DESCRIPTORS = 1_000_000  # if the system sets no limit


class Networks:
    """A set of addresses."""

    def __init__(self, networks: Sequence[str]) -> None:
        """Parse networks in CIDR notation."""
        self._networks = [ip_network(network) for network in networks]

    def __contains__(self, host: str) -> bool:
        """Return whether an address is in one of the networks."""
        address = ip_address(host.partition("%")[0])
        if isinstance(address, IPv6Address):
            address = address.ipv4_mapped or address
        return any(address in network for network in self._networks)


class Admission:
    """The limits, which apply to all workers together.

    Workers do not lock: at the same instant each may use the last free place, so a limit can be exceeded by at most the
    number of workers minus one.
    """

    def __init__(self, options: ServerOptions, open_by_worker: Sequence[int], addresses: AddressCounts | None) -> None:
        """`open_by_worker` is a live view; without `addresses`, connections per address are not counted."""
        self._options = options
        self._open_by_worker = open_by_worker
        self._addresses = addresses
        self._allowed = Networks(options.allow)
        self._room = room()

    def refusal(self, open_here: int) -> RejectReason | None:
        """Return why a connection cannot be accepted now, if so; `open_here` counts those of this worker."""
        if open_here >= self._room or sum(self._open_by_worker) >= self._options.max_connections:
            return RejectReason.MAX_CONNECTIONS
        return None

    def refusal_of(self, client: Address) -> RejectReason | None:
        """Return why a connection of this client cannot be accepted, if so; on a Unix socket its file decides."""
        if client and self._options.allow and client[0] not in self._allowed:
            return RejectReason.NOT_ALLOWED
        limit = self._options.max_connections_per_address
        if client and self._addresses is not None and self._addresses[client[0]] >= limit:
            return RejectReason.PER_ADDRESS
        return None

    def add(self, client: Address) -> None:
        """Count a connection of this client."""
        if client and self._addresses is not None:
            self._addresses.add(client[0])

    def remove(self, client: Address) -> None:
        """Stop counting one."""
        if client and self._addresses is not None:
            self._addresses.remove(client[0])


def raise_descriptor_limit() -> None:
    """Raise this process's soft limit of file descriptors, which children inherit, to the hard limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    hard = _MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def room() -> int:
    """Return how many connections one process can hold."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft - SPARE_DESCRIPTORS
