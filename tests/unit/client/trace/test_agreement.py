"""What a TLS handshake agreed on."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from certificates import Authority
from stentor_client.trace.agreement import Agreement


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


def test_names_in_parts(tmp_path: Path) -> None:
    """A part of the subject can have two attributes, and a name can be a directory's."""
    key = ec.generate_private_key(ec.SECP256R1())
    first = x509.NameAttribute(NameOID.COMMON_NAME, "server")
    second = x509.NameAttribute(NameOID.USER_ID, "7")
    unit = x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example")
    subject = x509.Name([x509.RelativeDistinguishedName([unit]), x509.RelativeDistinguishedName([first, second])])
    names = x509.SubjectAlternativeName([x509.DNSName("server.example"), x509.DirectoryName(subject)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "self-signed.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(made.public_bytes(Encoding.PEM) + private)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    agreement = Agreement.of(_shake_hands(server, ssl.create_default_context(cafile=file), "server.example"))
    # A part is a set, which has no order of its own.
    assert agreement.subject in {"O=Example, CN=server+userId=7", "O=Example, userId=7+CN=server"}
    assert agreement.names == ["server.example", agreement.subject]
