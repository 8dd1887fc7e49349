"""What a TLS handshake agreed on."""

import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest

from certificates import Authority
from stentor_client.agreement import Agreement, _printable


def _shake_hands(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> ssl.SSLObject:
    """Return the client's side of a handshake in memory."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(down, up, server_hostname=name)
    theirs = server.wrap_bio(up, down, server_side=True)
    for _ in range(3):
        for side in (ours, theirs):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return ours


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_agreement(tmp_path: Path, version: ssl.TLSVersion) -> None:
    """Version, cipher, names and expiry are those of the handshake and of the certificate."""
    authority = Authority(tmp_path)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(authority.issue("server", "server.example", "10.0.0.1"))
    server.maximum_version = version
    shaken = _shake_hands(server, authority.trust(), "server.example")
    agreement = Agreement.of(shaken)
    assert agreement.version == {771: "TLSv1.2", 772: "TLSv1.3"}[version]
    assert agreement.cipher in {each["name"] for each in server.get_ciphers()}
    assert agreement.names == ["server.example", "10.0.0.1"]
    assert agreement.subject.startswith("O=trustme ")
    assert agreement.expires_at.endswith("Z")
    left = datetime.fromisoformat(agreement.expires_at) - datetime.now(UTC)
    assert 0 < left.total_seconds() <= 86400


def test_nothing_commands_the_terminal() -> None:
    """What a certificate says is shown as text."""
    assert _printable("grün\x1b[2J\n\u202e") == "grün\\x1b[2J\\n\\u202e"
