"""Loads that never ran: the counts of their workers, and the summary."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from stentor_client.load.arrivals import Rate
from stentor_client.load.metrics import AT, AT_EACH, OPEN_TIME, PROCESSOR, SCHEMA, SHORTAGES
from stentor_client.load.options import LoadOptions
from stentor_client.load.report.series import Slice
from stentor_client.load.report.summary import Summary
from stentor_client.load.report.thresholds import ThresholdResult, Thresholds
from stentor_client.load.tally import Tally
from stentor_client.verify.outcomes import Outcome, Phase, Shortage
from stentor_client.wire.dialer import DialOptions

MILLISECOND = 1_000_000
OPTIONS = LoadOptions(
    dial=DialOptions(target="server.example:8080", connect_timeout_seconds=5.0),
    expect="upper",
    timeout_seconds=5.0,
    connections=2,
    fresh=False,
    rate=Rate(100.0, 100.0),
    poisson=False,
    sizes=[64],
    pipeline=1,
    workers=1,
    warmup_seconds=1.0,
    duration_seconds=10.0,
)
# Marks of mathematics, a command to a terminal, a byte that is no UTF-8, a new line, and what the font lacks.
HOSTILE = replace(OPTIONS, dial=DialOptions(target="unix:/$x_{$\x1b[2J\udcff\n<日本>", connect_timeout_seconds=5.0))
RAMP = replace(OPTIONS, rate=Rate(100.0, 1000.0))
CLOSED = replace(OPTIONS, rate=None)


def counted(
    milliseconds: Sequence[float] = (),
    failed: Mapping[Outcome, int] | None = None,
    *,
    waited: float = 0.0,
    late: Sequence[float] = (),
    processor_seconds: float = 0.0,
    open_seconds: float = 20.0,
    shortage: Shortage | None = None,
    places: Sequence[tuple[int, int, int, int]] = (),
) -> list[int]:
    """Return the counts of a load: its service times, the waiting before each, its failures, its late sends.

    Each of the `places` has connections, failed attempts, right and failed exchanges.
    """
    row = [0] * SCHEMA.row_slots
    tally = Tally(row)
    tally.measured_from = 0
    for each in milliseconds:
        sent = int(waited * MILLISECOND)
        tally.due(0, 0)
        tally.good(0, sent, sent + int(each * MILLISECOND / 2), sent + int(each * MILLISECOND), 64)
    for outcome, count in (failed or {}).items():
        for _ in range(count):
            tally.due(0, 0)
            tally.failed(0, outcome)
    for each in late:
        tally.due(0, int(each * MILLISECOND))
    for _ in range(2):
        tally.phases({Phase.RESOLVE: MILLISECOND // 10, Phase.CONNECT: MILLISECOND})
        tally.opened()
    row[SCHEMA.slot(PROCESSOR)] = int(processor_seconds * 1e9)
    row[SCHEMA.slot(OPEN_TIME)] = int(open_seconds * 1e9)
    if shortage:
        row[SCHEMA.slot(SHORTAGES, shortage)] = 1
    for place, counts in enumerate(places):
        for what, count in zip(AT_EACH, counts, strict=True):
            row[SCHEMA.slot(AT, f"{place}.{what}")] = count
    return row


def slices(*rates: tuple[float, float], failures: int = 0) -> list[Slice]:
    """Return slices of a second with these pairs of rates: due, and answered right."""
    return [
        Slice(number, number + 1.0, due, right, failures, *((0.001, 0.004, 0.009) if right else (None, None, None)))
        for number, (due, right) in enumerate(rates)
    ]


def summed_up(
    totals: Sequence[int] | None = None,
    pieces: Sequence[Slice] = (),
    options: LoadOptions = OPTIONS,
    measured_seconds: float = 10.0,
    addresses: Sequence[str] = ("server:1",),
) -> Summary:
    """Return the summary of a load."""
    totals = counted() if totals is None else totals
    return Summary(options, "2026-02-03T04:05:06Z", measured_seconds, totals, pieces, addresses)


def judged(summary: Summary, **limits: float) -> list[ThresholdResult]:
    """Return how a load meets thresholds."""
    return Thresholds(**limits).judge(summary.error_rate, summary.response_time)


def steady(options: LoadOptions = OPTIONS) -> Summary:
    """Return a load of 1,000 right exchanges, of 1 to 100 ms after 1 ms of waiting."""
    times = [1 + number % 100 for number in range(1000)]
    return summed_up(counted(times, waited=1.0), slices(*[(100.0, 100.0)] * 10), options)


def spread(*places: tuple[int, int, int, int]) -> Summary:
    """Return a load of several addresses, as `counted` describes them."""
    addresses = [f"10.0.0.{number}:8080" for number, _ in enumerate(places, 1)]
    return summed_up(counted([1.0] * 10, places=places), addresses=addresses)


def ramp_with_knee() -> Summary:
    """Return a load whose throughput follows up to 400/s."""
    rates = [(100.0 * number, min(100.0 * number, 420.0)) for number in range(1, 11)]
    return summed_up(counted([1.0] * 3000), slices(*rates), RAMP)


def nothing_at_all(options: LoadOptions = OPTIONS) -> Summary:
    """Return a load that was interrupted before anything was measured."""
    return summed_up([0] * SCHEMA.row_slots, (), options, measured_seconds=0.0)


def all_failed(options: LoadOptions = OPTIONS) -> Summary:
    """Return a load without a right reply."""
    pieces = slices(*[(100.0, 0.0)] * 10, failures=100)
    return summed_up(counted(failed={Outcome.MISMATCH: 999, Outcome.TIMEOUT: 1}), pieces, options)


Making = Callable[[LoadOptions], Summary]
EXTREMES: list[Making] = [
    steady,
    nothing_at_all,
    all_failed,
    lambda options: summed_up(counted([3.0]), slices((1.0, 1.0)), options),  # one exchange
    lambda options: summed_up(counted([1.0, 1000.0], {Outcome.EOF: 1}), slices((0.0, 0.0)), options),  # after its end
    lambda options: summed_up(counted(), (), options),  # nothing was due
]
