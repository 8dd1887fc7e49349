"""Authorities and certificates, made for one test."""

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


class Authority:
    """Issues certificates, each in a file together with its key."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        """Write the authority's own certificate to `file`."""
        self._authority = trustme.CA()
        self._folder = folder
        self.file = str(folder / f"{name}.pem")
        self._authority.cert_pem.write_to_path(self.file)

    def issue(self, name: str, *identities: str, expired: bool = False) -> str:
        """Write a certificate to `name`, anew where there is one, and return the path."""
        ends = datetime.now(UTC) + timedelta(days=-1 if expired else 1)
        begins = ends - timedelta(days=2)
        issued = self._authority.issue_cert(*(identities or ("127.0.0.1",)), not_before=begins, not_after=ends)
        path = self._folder / f"{name}.pem"
        issued.private_key_and_cert_chain_pem.write_to_path(str(path))
        return str(path)

    def serve(self, certificate: str, clients: "Authority | None" = None) -> ssl.SSLContext:
        """Return the context of a server with this certificate, that takes only clients of an authority, if given."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        if clients:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(clients.file)
        return context

    def trust(self, certificate: str | None = None, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
        """Return the context of a client that trusts this authority alone, and may have a certificate to show.

        It speaks any version of TLS, or only the given one.
        """
        context = ssl.create_default_context(cafile=self.file)
        if version:
            context.minimum_version = context.maximum_version = version
        if certificate:
            context.load_cert_chain(certificate)
        return context


def simple_authority(folder: Path) -> tuple[str, str]:
    """Write an authority without key usage, and a certificate of it for loopback without identifiers."""
    loopback, now = x509.IPAddress(ipaddress.ip_address("127.0.0.1")), datetime.now(UTC)
    issuer_key = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "simple")])
    extensions = (x509.BasicConstraints(ca=True, path_length=None), x509.SubjectAlternativeName([loopback]))
    paths = (folder / "simple.pem", folder / "leaf.pem")
    for path, extension in zip(paths, extensions, strict=True):
        is_authority = path is paths[0]
        key = issuer_key if is_authority else ec.generate_private_key(ec.SECP256R1())
        subject = issuer if is_authority else x509.Name([])
        certificate = (
            x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(extension, critical=True)
            .sign(issuer_key, hashes.SHA256())
        )
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        path.write_bytes(key.private_bytes(*form) + certificate.public_bytes(serialization.Encoding.PEM))
    return str(paths[0]), str(paths[1])
