"""URLs of services."""

import click
import pytest

from stentor_client.reconcile.base_url import BaseUrl

URL = BaseUrl("/metrics")


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("http://127.0.0.1:8081/metrics/", "http://127.0.0.1:8081"),
        ("https://[::1]/admin/metrics", "https://[::1]/admin"),
        ("HTTP://Server:8081", "http://Server:8081"),
    ],
)
def test_url(given: str, meant: str) -> None:
    """It may be written with the path or without; what has been parsed stays as it is."""
    assert URL.convert(given, None, None) == URL.convert(meant, None, None) == meant


WRONG = """
    server:8081 http://:8081 ftp://server http://[::1 http://server:port http://server:0 http://server:65536
    http://server/?x=1 http://server/#x http://a@server
"""


@pytest.mark.parametrize("wrong", ["", "http://ser ver", "http://server/\n", *WRONG.split()])
def test_no_url(wrong: str) -> None:
    """Anything that is not the URL of a service is refused, with an example."""
    with pytest.raises(click.BadParameter, match="is not a URL such as http://127"):
        URL.convert(wrong, None, None)
