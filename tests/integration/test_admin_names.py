"""By which names the admin endpoints answer."""

import http.client
from urllib.parse import urlsplit

import pytest

from processes import Probe, Server, Service


def _ask(service: Service, host: str) -> tuple[int, str]:
    """Ask for `/status` by a name that leads here."""
    connection = http.client.HTTPConnection(urlsplit(service.admin).netloc, timeout=30)
    connection.request("GET", "/status", headers={"Host": f"{host}:8081"})
    answer = connection.getresponse()
    found = answer.status, answer.read().decode()
    connection.close()
    return found


@pytest.mark.parametrize("kind", ["server", "client"])
def test_names(shared_server: Server, kind: str) -> None:
    """A service answers by the names that it is given, and refuses others with one line that names the option."""
    names = ("--admin-name", "one.example.org", "--admin-name", "Two")
    with Server(*names) if kind == "server" else Probe(shared_server.target, *names) as service:
        for name in ("one.example.org", "two", "localhost", "127.0.0.2"):
            assert _ask(service, name)[0] == 200
        status, text = _ask(service, "three.example.org")
        assert (status, text.count("\n")) == (421, 1)
        assert "--admin-name" in text
        assert service.find("library.warning") == []
