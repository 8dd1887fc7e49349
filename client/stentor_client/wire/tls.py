"""The client's side of TLS: which authorities to trust, and which certificate to present."""

import ssl

from stentor_chassis.failure import USAGE, Failure
from stentor_chassis.tls_files import load_certificate, plain_reason


def client_context(ca: str | None, certificate: str | None, key: str | None, server_name: str | None) -> ssl.SSLContext:
    """Return a context that trusts the authorities in the file `ca`, or else those of the system.

    It verifies certificates as OpenSSL does by default. Python 3.13 added checks that private authorities often fail.

    Raises:
        Failure: a file or the name cannot be used; the message says why.

    """
    try:
        context = ssl.create_default_context(cafile=ca)
    except ssl.SSLError as error:
        raise Failure(USAGE, f"no certificates in {ca}: {plain_reason(error)}") from error
    except OSError as error:
        raise Failure(USAGE, f"cannot read {ca}: {error.strerror}") from error
    context.verify_flags = ssl.VerifyFlags.VERIFY_X509_TRUSTED_FIRST
    if certificate:
        load_certificate(context, certificate, key or certificate, USAGE)
    if server_name:
        try:
            context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=server_name.removesuffix("."))
        except (ValueError, ssl.SSLError) as error:
            raise Failure(USAGE, f"no certificate can have the name {server_name!r}") from error
    return context
