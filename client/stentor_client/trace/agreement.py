"""What a TLS handshake agreed on, and whose certificate the server showed."""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from stentor_chassis.escaping import escaped

_Name = tuple[tuple[tuple[str, str], ...], ...]  # parts, each of attributes: what they are, and their values


@dataclass(frozen=True, slots=True)
class Agreement:
    """The TLS of one connection."""

    version: str
    cipher: str
    subject: str  # of the server's certificate, as in `O=Example, CN=server`
    names: list[str]  # what the certificate is good for: host names and addresses
    expires_at: str  # ISO 8601, UTC

    @classmethod
    def of(cls, connection: ssl.SSLObject) -> "Agreement":
        """Look at a connection after a handshake that verified the server's certificate."""
        certificate: dict[str, Any] = connection.getpeercert() or {}
        cipher = connection.cipher()
        ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC)
        return cls(
            version=connection.version() or "",
            cipher=cipher[0] if cipher else "",
            subject=escaped(_name(certificate["subject"])),
            names=[
                # A directory name among them comes in parts, as a subject does.
                escaped(value if isinstance(value, str) else _name(value))
                for _, value in certificate.get("subjectAltName", ())
            ],
            expires_at=ends.isoformat().replace("+00:00", "Z"),
        )


# RFC 4514, section 3
_ABBREVIATIONS = {"commonName": "CN", "organizationName": "O", "organizationalUnitName": "OU", "countryName": "C"}


def _name(parts: _Name) -> str:
    """Write a name down as people read it; a part can have several attributes, with `+` between them."""
    return ", ".join(
        "+".join(f"{_ABBREVIATIONS.get(kind, kind)}={value}" for kind, value in attributes) for attributes in parts
    )
