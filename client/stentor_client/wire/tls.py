"""The client's side of TLS: which authorities to trust, and which certificate to present."""

import ssl

from stentor_chassis.failure import USAGE, Failure
from stentor_client.verify.outcomes import reason_of


def client_context(ca: str | None, certificate: str | None, key: str | None, server_name: str | None) -> ssl.SSLContext:
    """Return a context that trusts the authorities in the file `ca`, or else those of the system.

    Raises:
        Failure: in one line, which file or name cannot be used, and why.

    """
    try:
        context = ssl.create_default_context(cafile=ca)
    except ssl.SSLError as error:
        raise Failure(USAGE, f"no certificates in {ca}: {reason_of(error)}") from error
    except OSError as error:
        raise Failure(USAGE, f"cannot read {ca}: {error.strerror}") from error
    if certificate:
        _load_certificate(context, certificate, key or certificate)
    if server_name:
        try:
            context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=server_name)
        except ValueError as error:
            raise Failure(USAGE, f"no certificate can have the name {server_name!r}") from error
    return context


def _load_certificate(context: ssl.SSLContext, certificate: str, key: str) -> None:
    try:
        for path in (certificate, key):
            with open(path, "rb"):  # load_cert_chain() does not say which of the two it cannot read
                pass
        context.load_cert_chain(certificate, key, password="")  # with no password OpenSSL would ask on the terminal
    except ssl.SSLError as error:
        reason = reason_of(error) if error.reason else "one of them is not PEM, or needs a password"
        raise Failure(USAGE, f"cannot use the certificate {certificate} with the key {key}: {reason}") from error
    except OSError as error:
        raise Failure(USAGE, f"cannot read {error.filename}: {error.strerror}") from error
