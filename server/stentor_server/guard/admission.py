"""Who may come in, and how many."""

import resource
from collections.abc import Sequence
from ipaddress import IPv6Address, ip_address, ip_network

from stentor_server.guard.addresses import AddressCounts
from stentor_server.metrics import RejectReason
from stentor_server.options import ServerOptions

SPARE_DESCRIPTORS = 100  # in each process, for all that is not a connection
_MOST_DESCRIPTORS = 1_000_000  # where the system sets no limit


class Networks:
    """A set of addresses."""

    def __init__(self, networks: Sequence[str]) -> None:
        """Take networks in the notation of CIDR."""
        self._networks = [ip_network(network) for network in networks]

    def __contains__(self, host: str) -> bool:
        """Tell whether an address is in one of the networks."""
        address = ip_address(host.partition("%")[0])
        if isinstance(address, IPv6Address):
            address = address.ipv4_mapped or address
        return any(address in network for network in self._networks)


class Admission:
    """The limits, which hold for all workers together.

    Each worker counts by itself: in the same instant every one of them may take the last place, so that a limit can be
    exceeded by at most the number of workers less one.
    """

    def __init__(self, options: ServerOptions, open_by_worker: Sequence[int], addresses: AddressCounts | None) -> None:
        """Read in `open_by_worker` how many connections each worker has open; without `addresses` none are counted."""
        self._options = options
        self._open_by_worker = open_by_worker
        self._addresses = addresses
        self._allowed = Networks(options.allow)
        self._room = room()

    def refusal(self, open_here: int) -> RejectReason | None:
        """Return why no connection at all can be taken now, or nothing; `open_here` are those of this worker."""
        if open_here >= self._room or sum(self._open_by_worker) >= self._options.max_connections:
            return RejectReason.MAX_CONNECTIONS
        return None

    def refusal_of(self, host: str) -> RejectReason | None:
        """Return why this client's connection cannot be taken, or nothing."""
        if self._options.allow and host not in self._allowed:
            return RejectReason.NOT_ALLOWED
        if self._addresses is not None and self._addresses[host] >= self._options.max_connections_per_address:
            return RejectReason.PER_ADDRESS
        return None

    def enter(self, host: str) -> None:
        """Count a client's connection."""
        if self._addresses is not None:
            self._addresses.add(host)

    def leave(self, host: str) -> None:
        """Count it no longer."""
        if self._addresses is not None:
            self._addresses.remove(host)


def raise_descriptor_limit() -> None:
    """Raise this process's limit of file descriptors, which its children inherit, as far as it goes."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    hard = _MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def room() -> int:
    """Return how many connections one process can hold."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft - SPARE_DESCRIPTORS
