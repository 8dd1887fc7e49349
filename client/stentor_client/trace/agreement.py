"""The result of a TLS handshake, and the server's certificate."""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from stentor_chassis.escaping import escaped
from stentor_client.output.wording import timestamp

_Name = tuple[tuple[tuple[str, str], ...], ...]  # parts, each with attributes: kind and value


@dataclass(frozen=True, slots=True)
class Agreement:
    """The TLS of one connection."""

    version: str
    cipher: str
    subject: str  # of the server's certificate, as in `O=Example, CN=server`
    names: list[str]  # host names and addresses that the certificate is valid for
    expires_at: str  # ISO 8601, UTC

    @classmethod
    def of(cls, connection: ssl.SSLObject) -> "Agreement":
        """Read it from a connection that has verified the server's certificate."""
        certificate: dict[str, Any] = connection.getpeercert() or {}
        cipher = connection.cipher()
        return cls(
            version=connection.version() or "",
            cipher=cipher[0] if cipher else "",
            subject=escaped(_name(certificate["subject"])),
            names=[
                # A directory name has parts, like a subject.
                escaped(value if isinstance(value, str) else _name(value))
                for _, value in certificate.get("subjectAltName", ())
            ],
            expires_at=timestamp(datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC)),
        )


# RFC 4514, section 3
_ABBREVIATIONS = {"commonName": "CN", "organizationName": "O", "organizationalUnitName": "OU", "countryName": "C"}


def _name(parts: _Name) -> str:
    """Return a name for people; `+` joins the attributes of one part."""
    return ", ".join(
        "+".join(f"{_ABBREVIATIONS.get(kind, kind)}={value}" for kind, value in attributes) for attributes in parts
    )
