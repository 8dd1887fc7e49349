"""Loads certificates, keys and authorities, and explains in one line what is wrong with a file."""

import ssl

from stentor_chassis.failure import Failure


def load_certificate(context: ssl.SSLContext, cert: str, key: str, code: int) -> None:
    """Load a certificate and its private key, which may be in the same file.

    Raises:
        Failure: which file cannot be used, and why; with `code`.

    """
    encrypted = False

    def password() -> str:
        nonlocal encrypted
        encrypted = True
        return ""  # otherwise OpenSSL prompts on the terminal

    content = b""
    for path in (cert, key):  # load_cert_chain() does not report which of the two it cannot read
        try:
            with open(path, "rb") as file:
                content = file.read()
        except OSError as error:
            raise Failure(code, f"cannot read {path}: {error.strerror}") from error
    try:
        context.load_cert_chain(cert, key, password)
    except ssl.SSLError as error:
        if error.reason:
            why = plain_reason(error)
        elif encrypted:
            why = "the key is encrypted; decrypt it first"
        elif b"PRIVATE KEY-----" not in content:
            why = "the file has no key; give the key file with --tls-key"
        else:
            why = "incomplete, or not PEM"  # OpenSSL gives no reason
        raise Failure(code, f"cannot use the certificate {cert} with the key {key}: {why}") from error


def load_authorities(context: ssl.SSLContext, path: str, code: int) -> None:
    """Trust the authorities whose certificates are in a file.

    Raises:
        Failure: why the file cannot be used; with `code`.

    """
    try:
        context.load_verify_locations(path)
    except ssl.SSLError as error:
        raise Failure(code, f"no certificates in {path}: {plain_reason(error)}") from error
    except OSError as error:
        raise Failure(code, f"cannot read {path}: {error.strerror}") from error


def plain_reason(error: ssl.SSLError) -> str:
    """Return OpenSSL's reason in words, without its file names and line numbers."""
    return (error.reason or str(error)).lower().replace("_", " ")
