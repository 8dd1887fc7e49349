"""What a request for metrics accepts."""

import pytest

from stentor_chassis.admin.negotiation import preferred_format, prefers_gzip

OPEN = "application/openmetrics-text"
PROMETHEUS_2 = f"{OPEN};version=1.0.0,{OPEN};version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
PROMETHEUS_3 = (
    f"{OPEN};version=1.0.0;escaping=allow-utf-8;q=0.5,{OPEN};version=0.0.1;q=0.4,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)


@pytest.mark.parametrize(
    "accept",
    [
        PROMETHEUS_2,
        PROMETHEUS_3,
        f'{OPEN}; Version="1.0.0" ; charset=utf-8',
        f"text/plain;q=0.5, {OPEN};q=0.6",
        "text/*;q=0.1,application/*;q=0.2",
        "text/plain;q=0, */*",
        f"*/*, {OPEN}",  # named, so it is understood
    ],
)
def test_openmetrics(accept: str) -> None:
    """The format with the largest weight wins, by the most specific range that includes it."""
    for values in ([accept], accept.split(",")):
        assert preferred_format(values)[1] == f"{OPEN}; version=1.0.0; charset=utf-8"


@pytest.mark.parametrize(
    "accept",
    [
        *(
            "",
            "*/*",
            "x/y",
            "*/*;q=0",
            f"text/plain, {OPEN};q=0.9",
            f"{OPEN};q=0, */*;q=0.1",
            f"{OPEN};charset=latin-1",
        ),
        *(f"*/*;q=0.1, {OPEN};version=1.0.0;q=0", f"{OPEN};version=2.0.0", f"{OPEN};q=2", f'{OPEN};version="1.0.0,'),
        *(f"{OPEN};version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", f"{OPEN};version={'9' * 5000}", "¹;\udcff"),
    ],
)
def test_text(accept: str) -> None:
    """Text is for all others: those who prefer it, and those who accept nothing that we have."""
    assert preferred_format([accept])[1] == "text/plain; version=0.0.4; charset=utf-8"


def test_gzip() -> None:
    """Gzip is for those who accept it, and do not prefer none."""
    for accept in ("gzip", "GZip ;q=0.5", "br, gzip", "*", "identity;q=0.5, gzip", "*;q=0, gzip"):
        assert prefers_gzip([accept])
    for accept in ("", "gzip;q=0", "gzip;q=0.000, *", "x, gzip2", "identity, gzip;q=0.5", "*;q=0"):
        assert not prefers_gzip([accept])
