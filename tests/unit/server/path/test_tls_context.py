"""The files of TLS."""

import ssl
from pathlib import Path

import pytest

from stentor_chassis.failure import COULD_NOT_START, Failure
from stentor_server.path.tls import tls_context
from unit.server.authority import Authority
from unit.server.serving import options


def _failure(cert: str, key: str, client_ca: str | None = None) -> str:
    """Return the one line that these files end with."""
    with pytest.raises(Failure) as failure:
        tls_context(options(tls_cert=cert, tls_key=key, tls_client_ca=client_ca))
    assert failure.value.code == COULD_NOT_START
    assert "\n" not in failure.value.message
    return failure.value.message


def test_none() -> None:
    """Without files there is no TLS."""
    assert tls_context(options()) is None


def test_good(authority: Authority) -> None:
    """With certificate and key there is, from version 1.2 on, and clients need no certificate."""
    context = tls_context(options(tls_cert=authority.cert, tls_key=authority.key))
    assert context is not None
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.verify_mode == ssl.CERT_NONE


def test_mutual(authority: Authority) -> None:
    """With authorities, clients need a certificate of theirs."""
    files = {"tls_cert": authority.cert, "tls_key": authority.key, "tls_client_ca": authority.ca}
    context = tls_context(options(**files))
    assert context is not None
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert len(context.get_ca_certs()) == 1


def test_one_file(authority: Authority) -> None:
    """Certificate and key may be in one file."""
    assert tls_context(options(tls_cert=authority.both, tls_key=authority.both)) is not None


def test_is_read_anew(authority: Authority, tmp_path: Path) -> None:
    """Every time the files are read again: a renewed certificate needs no restart."""
    cert = tmp_path / "cert.pem"
    cert.write_bytes(Path(authority.cert).read_bytes())
    assert tls_context(options(tls_cert=str(cert), tls_key=authority.key)) is not None
    cert.write_text("spoiled")
    _failure(str(cert), authority.key)


def test_missing_files(authority: Authority, tmp_path: Path) -> None:
    """Of files that are missing the first is named."""
    gone = str(tmp_path / "gone.pem")
    for cert, key, client_ca in ((gone, authority.key, None), (authority.cert, gone, None)):
        assert _failure(cert, key, client_ca) == f"cannot read {gone}: No such file or directory"
    assert _failure(authority.cert, authority.key, gone) == f"cannot read {gone}: No such file or directory"


def test_unreadable_files(authority: Authority, tmp_path: Path) -> None:
    """A file that cannot be read is named."""
    unreadable = str(tmp_path)
    assert _failure(unreadable, authority.key) == f"cannot read {unreadable}: Is a directory"
    assert _failure(authority.cert, unreadable) == f"cannot read {unreadable}: Is a directory"
    assert unreadable in _failure(authority.cert, authority.key, unreadable)


@pytest.mark.parametrize("content", [b"", b"hello", b"\0\xff" * 100, b"-----BEGIN CERTIFICATE-----\nnonsense\n"])
def test_files_with_something_else(authority: Authority, tmp_path: Path, content: bytes) -> None:
    """A file with something else in it is named, with its companion."""
    other = tmp_path / "other.pem"
    other.write_bytes(content)
    for cert, key in ((str(other), authority.key), (authority.cert, str(other))):
        line = _failure(cert, key)
        assert line.startswith(f"cannot use the certificate {cert} with the key {key}: ")
        assert line[-1] != " "
    assert f"no certificates in {other}: " in _failure(authority.cert, authority.key, str(other))


def test_key_of_another_certificate(authority: Authority) -> None:
    """A key that is not the certificate's is said to be that."""
    line = _failure(authority.cert, authority.other_key)
    assert line.startswith(f"cannot use the certificate {authority.cert} with the key {authority.other_key}: ")
    assert line.endswith("key values mismatch")


def test_encrypted_key(authority: Authority) -> None:
    """A key that needs a password fails: nobody is asked for one."""
    line = _failure(authority.cert, authority.locked_key)
    assert line.startswith(f"cannot use the certificate {authority.cert} with the key {authority.locked_key}: ")
    assert line.endswith(": the key is encrypted, and must not be")


def test_no_key(authority: Authority) -> None:
    """Where the key is neither named nor in the certificate's file, that is said."""
    line = _failure(authority.cert, authority.cert)
    assert line.endswith(": there is no key in the file; --tls-key names another")
