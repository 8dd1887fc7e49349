"""Loads certificates, keys and authorities, and explains in one line what is wrong with a file."""

import re
import ssl

from stentor_chassis.failure import Failure

_NOT_TLS = "the peer does not speak TLS"
_WORDS_OF_NOT_TLS = {  # which of them depends on the first bytes, and on the version of OpenSSL
    "http request",
    "https proxy request",
    "packet length too long",
    "record length mismatch",
    "record layer failure",
    "unexpected message",
    "wrong version number",
}
_DAMAGED = "a TLS record arrived damaged"
_ALERTS = {
    "certificate required": "it requires a certificate",
    "handshake failure": "there is no cipher or certificate that both sides accept",
    "protocol version": "there is no version of TLS that both sides speak",
    "unknown ca": "it does not trust the authority of this side's certificate",
}


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
        why = plain_reason(error)
        if not error.reason and encrypted:
            why = "the key is encrypted; decrypt it first"
        elif not error.reason and b"PRIVATE KEY-----" not in content:
            why = "the file has no key; give the key file with --tls-key"
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


def plain_reason(error: ssl.SSLError, *, agreed: bool = False) -> str:
    """Return OpenSSL's reason in words, without its file names and line numbers.

    Once both sides have `agreed` on TLS, what is not TLS was damaged on its way.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not trusted: {error.verify_message}"
    reason = error.reason or re.sub(r"^\[\w+\] | *\(_ssl\.c:[0-9]+\)$", "", error.strerror or str(error))
    words = reason.lower().replace("_", " ")
    if words == "pem lib":  # OpenSSL gives no reason
        return "incomplete, or not PEM"
    alert = re.fullmatch(r"(?:sslv3|tlsv1|tlsv13) alert (.*)", words)
    if alert:
        return f"the peer refused: {_ALERTS.get(alert[1], alert[1])}"
    if agreed and (words in _WORDS_OF_NOT_TLS or words == "decryption failed or bad record mac"):
        return _DAMAGED
    return _NOT_TLS if words in _WORDS_OF_NOT_TLS else words
