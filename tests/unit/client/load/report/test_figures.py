"""What every report says of a load."""

from dataclasses import replace

import pytest

from stentor_client.load.arrivals import Rate
from stentor_client.load.command import load
from stentor_client.load.options import LoadOptions
from stentor_client.load.report.figures import (
    TIME_HEADINGS,
    described,
    failed_text,
    option_values,
    percentile_text,
    phase_rows,
    time_rows,
)
from stentor_client.load.tally import Tally
from stentor_client.verify.outcomes import Outcome
from stentor_client.wire.dialer import DialOptions
from unit.client.loads import CLOSED, OPTIONS, RAMP, all_failed, counted, nothing_at_all, steady, summed_up

TLS = DialOptions(target="a:1", connect_timeout_seconds=1.0, tls=True, tls_ca="ca.pem", proxy_protocol="v2")


def test_rows() -> None:
    """Response time is first, and includes the wait before the send; a closed loop has no service time."""
    rows = {**time_rows(steady()), **phase_rows(steady())}
    cells = {name: dict(zip(TIME_HEADINGS, row, strict=True)) for name, row in rows.items()}
    assert list(cells) == ["response time", "service time", "resolve", "connect", "first_byte"]
    assert (cells["response time"]["max"], cells["service time"]["max"]) == ("101 ms", "100 ms")
    assert (cells["response time"]["mean"], cells["first_byte"]["mean"]) == ("51.5 ms", "25.2 ms")
    assert list(time_rows(steady(CLOSED))) == ["response time"]
    assert {cell for row in time_rows(nothing_at_all()).values() for cell in row} == {"-"}


@pytest.mark.parametrize(("percent", "least"), [(50.0, 2), (90.0, 10), (99.0, 100), (99.9, 1000), (99.99, 10000)])
def test_percentile_of_too_few(percent: float, least: int) -> None:
    """A percentile needs as many exchanges as leave one beyond it."""
    enough = summed_up(counted([1.0] * least)).response_time
    too_few = summed_up(counted([1.0] * (least - 1))).response_time
    assert (percentile_text(enough, percent), percentile_text(too_few, percent)) == ("1.00 ms", "-")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (RAMP, "100/s to 1,000/s over 2 connections, 64 B, 10 s"),
        (replace(CLOSED, pipeline=8, connections=1), "closed loop over 1 connection, 64 B, 8 deep, 10 s"),
        (replace(OPTIONS, poisson=True, dial=TLS), "100/s at random over 2 connections, TLS, 64 B, 10 s"),
        (replace(OPTIONS, fresh=True, sizes=[64, 1024]), "100/s over at most 2 fresh connections, 64 B, 1 KiB, 10 s"),
    ],
)
def test_description(options: LoadOptions, text: str) -> None:
    """A line describes the kind of load."""
    assert described(options) == text


def test_failures() -> None:
    """That nothing failed is only said if something was measured."""
    mixed = summed_up(counted([1.0] * 3, {Outcome.EOF: 1}))
    row = counted([1.0])
    Tally(row).lost(Outcome.EXTRA)
    texts = [failed_text(each) for each in (steady(), nothing_at_all(), all_failed(), mixed, summed_up(row))]
    assert texts[:4] == ["every reply was right", "nothing was measured", "1,000 failed, 100 %", "1 failed, 25 %"]
    assert texts[4] == "every reply was right, but more bytes followed"


@pytest.mark.parametrize("options", [RAMP, CLOSED, replace(OPTIONS, rate=Rate(0.5, 123456.7), poisson=True)])
def test_options_are_those_of_the_command_line(options: LoadOptions) -> None:
    """The options in a report are a command line that means the same."""
    words = [word for pair in option_values(options) for word in pair if word]
    given = load.make_context("load", words).params
    assert (str(given["target"]), given["sizes"], given["duration_seconds"]) == ("server.example:8080", [64], 10.0)
    assert given["rate"] == (options.rate and (options.rate.first, options.rate.last))
    assert (given["closed"], given["poisson"]) == (options.rate is None, options.poisson)


def test_options_of_tls() -> None:
    """Files are named, and what was not given is not."""
    values = dict(option_values(replace(OPTIONS, dial=TLS, fresh=True)))
    assert (values["--tls"], values["--tls-ca"], values["--proxy-protocol"]) == ("", "ca.pem", "v2")
    assert values["--connection"] == "fresh"
    assert values.keys().isdisjoint({"--tls-key", "--closed", "--poisson"})
