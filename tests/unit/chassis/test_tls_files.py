"""Certificates, keys and authorities from files."""

import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from certificates import Authority
from stentor_chassis.failure import USAGE, Failure
from stentor_chassis.tls_files import load_authorities, load_certificate, plain_reason


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Certificates, made once."""
    return Authority(tmp_path_factory.mktemp("authority"))


def _load(cert: str, key: str = "") -> str:
    """Load a certificate and its key, or authorities; return the one line of the failure, if it fails."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        load_certificate(context, cert, key, USAGE) if key else load_authorities(context, cert, USAGE)
    except Failure as failure:
        return failure.message if failure.code == USAGE else "another exit code"
    assert key or len(context.get_ca_certs()) == 1
    return ""


def test_files(authority: Authority, tmp_path: Path) -> None:
    """Certificate and key may be in one file or in two; a file that cannot be used is named, with a reason in words."""
    both, other_key = authority.issue("server"), authority.issue("other")
    pem = Path(both).read_bytes()
    key, cert, locked = (str(tmp_path / name) for name in ("key.pem", "cert.pem", "locked.pem"))
    Path(cert).write_bytes(pem[pem.index(b"-----BEGIN CERTIFICATE") :])
    private = serialization.load_pem_private_key(pem, None)
    password = serialization.BestAvailableEncryption(b"secret")
    for path, encryption in ((key, serialization.NoEncryption()), (locked, password)):
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
        Path(path).write_bytes(private.private_bytes(*form))
    assert _load(cert, key) == _load(both, both) == _load(authority.file) == ""
    for files in ((str(tmp_path), key), (cert, str(tmp_path)), (str(tmp_path),)):
        assert _load(*files) == f"cannot read {tmp_path}: Is a directory"
    for other, why in (
        (other_key, "key values mismatch"),
        (locked, "the key is encrypted; decrypt it first"),
        (cert, "the file has no key; give the key file with --tls-key"),
    ):
        assert _load(cert, other).endswith(f" with the key {other}: {why}")


@pytest.mark.parametrize("content", [b"", b"\0\xff" * 100, b"-----BEGIN CERTIFICATE-----\nnonsense\n"])
def test_something_else(authority: Authority, tmp_path: Path, content: bytes) -> None:
    """A file with something else in it is named, with a reason in words."""
    other = tmp_path / "other.pem"
    other.write_bytes(content)
    good = authority.issue("server")
    for cert, key in ((str(other), good), (good, str(other))):
        line = _load(cert, key)
        assert line.startswith(f"cannot use the certificate {cert} with the key {key}: ")
        assert line[-1] != " "
        assert "_ssl" not in line
    assert f"no certificates in {other}: " in _load(str(other))


def _error(reason: str | None, text: str = "") -> ssl.SSLError:
    error = ssl.SSLError(1, text)
    error.reason = reason  # type: ignore[assignment] # None if OpenSSL gives none
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (_error("NO_SHARED_CIPHER"), "no shared cipher"),
        (_error(None, "unknown error (_ssl.c:2580)"), "unknown error"),
        (_error(None, "[X509] PEM lib (_ssl.c:4166)"), "incomplete, or not PEM"),
        (_error("HTTP_REQUEST"), "the peer does not speak TLS"),
        (_error("TLSV13_ALERT_CERTIFICATE_REQUIRED"), "the peer refused: it requires a certificate"),
        (_error("SSLV3_ALERT_BAD_CERTIFICATE"), "the peer refused: bad certificate"),
    ],
)
def test_plain_reason(error: ssl.SSLError, words: str) -> None:
    """A reason is what a person can act on, without OpenSSL's file names and line numbers."""
    assert plain_reason(error) == words
