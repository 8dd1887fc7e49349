"""Certificates for tests: good, foreign and expired ones."""

import datetime as dt
import ssl
from pathlib import Path

import trustme
from cryptography.hazmat.primitives import serialization

HOST = "localhost"
_LONG_AGO = dt.datetime(2001, 1, 1, tzinfo=dt.UTC)


class Authority:
    """An authority, its certificate for a server, and certificates for clients."""

    def __init__(self, directory: Path) -> None:
        """Write the server's files into `directory`."""
        self._own, self._foreign = trustme.CA(), trustme.CA()
        self._directory = directory
        issued = self._own.issue_cert(HOST, "127.0.0.1")
        self.cert = self._write("cert.pem", *(blob.bytes() for blob in issued.cert_chain_pems))
        self.key = self._write("key.pem", issued.private_key_pem.bytes())
        self.both = self._write("both.pem", issued.private_key_and_cert_chain_pem.bytes())
        self.ca = self._write("ca.pem", self._own.cert_pem.bytes())
        self.locked_key = self._write("locked-key.pem", _locked(issued.private_key_pem.bytes()))
        other = self._own.issue_cert(HOST)
        self.other_key = self._write("other-key.pem", other.private_key_pem.bytes())

    def _write(self, name: str, *parts: bytes) -> str:
        path = self._directory / name
        path.write_bytes(b"".join(parts))
        return str(path)

    def client(self, version: ssl.TLSVersion | None = None, certificate: str = "") -> ssl.SSLContext:
        """Return a client of any version or one, with a certificate that is `good`, `foreign` or `expired`, or none."""
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._own.configure_trust(made)
        if version is not None:
            made.minimum_version = made.maximum_version = version
        if certificate:
            issuer = self._foreign if certificate == "foreign" else self._own
            expiry = _LONG_AGO if certificate == "expired" else None
            issuer.issue_cert("a-client", not_after=expiry).configure_cert(made)
        return made


def _locked(key: bytes) -> bytes:
    """Return a private key as one that needs a password."""
    loaded = serialization.load_pem_private_key(key, None)
    return loaded.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
