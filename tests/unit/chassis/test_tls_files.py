"""Certificates, keys and authorities from files."""

import ssl
from pathlib import Path

import pytest

from stentor_chassis.failure import USAGE, Failure
from stentor_chassis.tls_files import load_authorities, load_certificate
from unit.server.authority import Authority


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Certificates, made once."""
    return Authority(tmp_path_factory.mktemp("authority"))


def _certificate(cert: str, key: str) -> None:
    load_certificate(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), cert, key, USAGE)


def _authorities(path: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    load_authorities(context, path, USAGE)
    return context


def _failure(cert: str, key: str = "") -> str:
    """Return the one line with which these files, or this one of authorities, fail."""
    with pytest.raises(Failure) as failure:
        _certificate(cert, key) if key else _authorities(cert)
    assert failure.value.code == USAGE
    assert "\n" not in failure.value.message
    return failure.value.message


def test_good_files(authority: Authority) -> None:
    """Certificate and key may be in one file or in two."""
    _certificate(authority.cert, authority.key)
    _certificate(authority.both, authority.both)
    assert len(_authorities(authority.ca).get_ca_certs()) == 1


def test_unreadable_files(authority: Authority, tmp_path: Path) -> None:
    """A file that cannot be read is named."""
    for path, why in ((str(tmp_path / "gone.pem"), "No such file or directory"), (str(tmp_path), "Is a directory")):
        for files in ((path, authority.key), (authority.cert, path)):
            assert _failure(*files) == f"cannot read {path}: {why}"
    gone = str(tmp_path / "gone.pem")
    assert _failure(gone) == f"cannot read {gone}: No such file or directory"


@pytest.mark.parametrize("content", [b"", b"hello", b"\0\xff" * 100, b"-----BEGIN CERTIFICATE-----\nnonsense\n"])
def test_something_else(authority: Authority, tmp_path: Path, content: bytes) -> None:
    """A file with something else in it is named, with a reason in words."""
    other = tmp_path / "other.pem"
    other.write_bytes(content)
    for cert, key in ((str(other), authority.key), (authority.cert, str(other))):
        line = _failure(cert, key)
        assert line.startswith(f"cannot use the certificate {cert} with the key {key}: ")
        assert line[-1] != " "
        assert "_ssl" not in line
    assert f"no certificates in {other}: " in _failure(str(other))


def test_wrong_key(authority: Authority) -> None:
    """A key that does not match, needs a password, or is missing, is called that."""
    for key, why in (
        (authority.other_key, "key values mismatch"),
        (authority.locked_key, "the key is encrypted; decrypt it first"),
        (authority.cert, "the file has no key; give the key file with --tls-key"),
    ):
        assert _failure(authority.cert, key).endswith(f" with the key {key}: {why}")
