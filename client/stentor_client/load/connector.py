"""Connects one worker's flows, in turn to each address of the target."""

from collections.abc import Callable, Sequence

from stentor_client.load.flow import Flow
from stentor_client.load.metrics import AT_MISSED, AT_OPENED, MOST_ADDRESSES, SCHEMA, SHORTAGES
from stentor_client.load.tally import Tally
from stentor_client.wire.dial_record import DialError, Endpoint
from stentor_client.wire.dialer import Dialer, DialOptions

_FLOWS = 1 << 20  # of one worker


class Connector:
    """Connects flows, and counts by address."""

    def __init__(self, dial: DialOptions, worker: int, tally: Tally, addresses: Sequence[str]) -> None:
        """Count in `tally`, for each of the `addresses`."""
        self._dialer = Dialer(dial, tally.unused)
        self._worker = worker
        self._tally = tally
        self._place_of = {address: place for place, address in enumerate(addresses[:MOST_ADDRESSES])}
        self._numbers = 0

    async def connect(self, new_flow: Callable[[int], Flow]) -> Flow:
        """Connect to the next address in turn, or if that does not answer to another; raise `DialError`.

        `new_flow` returns a flow with the number that it is called with.
        """
        tally, turn = self._tally, self._worker + self._numbers
        self._numbers += 1
        number = self._worker * _FLOWS + self._numbers % _FLOWS
        try:
            flow, record = await self._dialer.dial(lambda: new_flow(number), turn=turn)
        except DialError as error:
            if error.shortage:
                tally.row[SCHEMA.slot(SHORTAGES, error.shortage)] += 1
            else:
                self._count_at(AT_MISSED, error.record.passed_over)
            raise
        tally.phases(record.durations)
        self._count_at(AT_MISSED, record.passed_over)
        flow.place = self._count_at(AT_OPENED, [record.endpoint])
        return flow

    def _count_at(self, what: int, endpoints: Sequence[Endpoint | None]) -> int:
        """Count for these addresses; return the place of the last."""
        place = MOST_ADDRESSES
        for endpoint in endpoints:
            place = self._place_of.get(str(endpoint), MOST_ADDRESSES)
            self._tally.at(place, what)
        return place
