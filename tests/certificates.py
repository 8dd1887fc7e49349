"""Authorities and certificates, made for one test."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme


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

    def trust(self, certificate: str | None = None) -> ssl.SSLContext:
        """Return the context of a client that trusts this authority alone, and may have a certificate to show."""
        context = ssl.create_default_context(cafile=self.file)
        if certificate:
            context.load_cert_chain(certificate)
        return context
