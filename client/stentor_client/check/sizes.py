"""Whether the path delivers messages of every size."""

from stentor_client.check.check import Check, Finding
from stentor_client.check.subject import Subject
from stentor_client.output import wording
from stentor_client.verify.outcomes import ExchangeError, Outcome

# Packet sizes, with and without IP and TCP headers: the minimum of IPv6, tunnels, Ethernet, jumbo frames.
_PACKETS = (1280, 1400, 1448, 1460, 1472, 1500, 8960, 9001)
LADDER = (1, 2, 10, 64, 512, *_PACKETS, *(1 << power for power in (14, 16, 18, 20, 22, 24, 26)))
_BLACK_HOLE = "an MTU black hole: a tunnel or VPN, and a firewall that filters ICMP"


class Sizes(Check):
    """Sends one message of each size, on a connection of its own, up to the first that fails."""

    name = "sizes"
    proves = "Messages of every size tried are answered completely, including those that just fill a packet."
    usual_cause = "a proxy or a firewall with a limit, or one that does not read while it writes"

    def __init__(self, largest: int) -> None:
        """Try messages of up to `largest` bytes."""
        self.ladder = [*(step for step in LADDER if step < largest), largest]

    async def run(self, subject: Subject) -> Finding:
        """Run the check."""
        good = 0
        for step in self.ladder:
            try:
                async with subject.call() as call:
                    await call.ask(step)
            except ExchangeError as error:
                subject.largest_good = good
                before = f"{wording.size(good)} works, " if good else ""
                detail = f"{before}{wording.size(step)} fails: {error}"
                stalled = error.outcome is Outcome.TIMEOUT and step in _PACKETS
                return Finding.bad(
                    error, detail, _BLACK_HOLE if stalled else "", largest_good_bytes=good, first_failing_bytes=step
                )
            good = step
        detail = f"{len(self.ladder)} sizes up to {wording.size(good)}"
        return Finding.good(detail, largest_good_bytes=good, first_failing_bytes=None)
