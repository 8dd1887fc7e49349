"""The TLS of a connection, in words."""

from types import SimpleNamespace
from typing import Any

from stentor_client.trace.agreement import Agreement

# As the standard library returns it: names have parts, and each part has attributes.
SUBJECT = ((("organizationName", "Example"),), (("commonName", "\x1bserver"), ("userId", "7")))
CERTIFICATE = {
    "subject": SUBJECT,
    "subjectAltName": (("DNS", "server.example"), ("DirName", SUBJECT)),
    "notAfter": "Feb  3 04:05:06 2030 GMT",
}


def test_names_in_parts() -> None:
    """A part of the subject can have two attributes, and a name can be a directory's; nothing commands the terminal."""
    connection: Any = SimpleNamespace(
        version=lambda: "TLSv1.3", cipher=lambda: ("AES", "TLSv1.3", 256), getpeercert=lambda: CERTIFICATE
    )
    subject = r"O=Example, CN=\x1bserver+userId=7"
    expected = Agreement("TLSv1.3", "AES", subject, ["server.example", subject], "2030-02-03T04:05:06Z")
    assert Agreement.of(connection) == expected
