"""What every report says of a load."""

from dataclasses import replace

import pytest

from stentor_chassis.counters.histogram import NANOSECONDS
from stentor_client.load.arrivals import Rate
from stentor_client.load.command import load
from stentor_client.load.options import LoadOptions
from stentor_client.load.report.figures import (
    TIME_HEADINGS,
    described,
    failed_text,
    knee_text,
    option_values,
    percentile_text,
    time_rows,
)
from stentor_client.verify.outcomes import Outcome
from stentor_client.wire.dialer import DialOptions
from unit.client.loads import (
    CLOSED,
    OPTIONS,
    RAMP,
    all_failed,
    counted,
    nothing_at_all,
    ramp_with_knee,
    steady,
    summed_up,
)


def test_rows() -> None:
    """Response time comes first, and holds what an exchange waited before it was sent; phases come last."""
    rows = {row.name: dict(zip(TIME_HEADINGS, row.cells, strict=True)) for row in time_rows(steady())}
    assert list(rows) == ["response time", "service time", "resolve", "connect", "first_byte"]
    assert (rows["response time"]["max"], rows["service time"]["max"]) == ("101 ms", "100 ms")
    assert (rows["response time"]["mean"], rows["service time"]["mean"]) == ("51.5 ms", "50.5 ms")
    assert rows["first_byte"]["mean"] == "25.2 ms"


def test_rows_of_a_closed_loop() -> None:
    """In a closed loop an exchange is due when it is sent: one row says it all."""
    assert [row.name for row in time_rows(steady(CLOSED))][:2] == ["response time", "resolve"]


def test_rows_of_nothing() -> None:
    """What was not measured has no figure."""
    assert {cell for row in time_rows(nothing_at_all()) for cell in row.cells} == {"-"}


@pytest.mark.parametrize(("percent", "least"), [(50.0, 2), (90.0, 10), (99.0, 100), (99.9, 1000), (99.99, 10000)])
def test_percentile_of_too_few(percent: float, least: int) -> None:
    """A percentile needs as many exchanges as leave one beyond it."""
    enough = summed_up(counted([1.0] * least)).response_time
    too_few = summed_up(counted([1.0] * (least - 1))).response_time
    assert (percentile_text(enough, percent), percentile_text(too_few, percent)) == ("1.00 ms", "-")
    assert enough.sum_nanoseconds == least * NANOSECONDS // 1000


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (OPTIONS, "100/s over 2 connections, 64 B, 10 s"),
        (RAMP, "100/s to 1,000/s over 2 connections, 64 B, 10 s"),
        (replace(CLOSED, pipeline=8, connections=1), "closed loop over 1 connection, 64 B, 8 deep, 10 s"),
        (replace(OPTIONS, poisson=True), "100/s at random over 2 connections, 64 B, 10 s"),
        (replace(OPTIONS, fresh=True, sizes=[64, 1024]), "100/s over at most 2 fresh connections, 64 B, 1 KiB, 10 s"),
        (
            replace(OPTIONS, dial=DialOptions(target="a:1", connect_timeout_seconds=1.0, tls=True)),
            "100/s over 2 connections, TLS, 64 B, 10 s",
        ),
    ],
)
def test_description(options: LoadOptions, text: str) -> None:
    """A line says what kind of load it is."""
    assert text == described(options)


def test_failures() -> None:
    """No failure is told only where something was measured."""
    mixed = summed_up(counted([1.0] * 3, {Outcome.EOF: 1}))
    texts = [failed_text(each) for each in (steady(), nothing_at_all(), all_failed(), mixed)]
    assert texts == ["every reply was right", "nothing was measured", "1,000 failed, 100%", "1 failed, 25%"]


def test_knee() -> None:
    """The knee is a rate and what it took."""
    knee = ramp_with_knee().knee
    assert knee is not None
    assert knee_text(knee).startswith("The knee: up to 400/s throughput followed the rate (p99 4.00 ms);")


@pytest.mark.parametrize("options", [OPTIONS, RAMP, CLOSED, replace(OPTIONS, rate=Rate(0.5, 123456.7), poisson=True)])
def test_options_are_those_of_the_command_line(options: LoadOptions) -> None:
    """What is told as the options is a command line that the command takes, and means the same."""
    words = [word for pair in option_values(options) for word in pair if word]
    given = load.make_context("load", words).params
    assert (str(given["target"]), given["sizes"], given["duration_seconds"]) == ("server.example:8080", [64], 10.0)
    assert given["rate"] == (options.rate and (options.rate.first, options.rate.last))
    assert (given["closed"], given["poisson"]) == (options.rate is None, options.poisson)


def test_options_of_tls() -> None:
    """Files are named."""
    dial = DialOptions(target="a:1", connect_timeout_seconds=1.0, tls=True, tls_ca="ca.pem", proxy_protocol="v2")
    values = dict(option_values(replace(OPTIONS, dial=dial, fresh=True)))
    assert (values["--tls"], values["--tls-ca"], values["--proxy-protocol"]) == ("", "ca.pem", "v2")
    assert values["--connection"] == "fresh"
    assert "--tls-key" not in values
