"""What TLS needs."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from certificates import Authority
from stentor_chassis.failure import USAGE, Failure
from stentor_client.wire.dialer import Dialer, DialOptions

OPTIONS = DialOptions(target="host:1", connect_timeout_seconds=1.0, tls=True)


def _key_of(certificate: str) -> str:
    key = Path(certificate).with_suffix(".key")
    key.write_text(Path(certificate).read_text().partition("-----BEGIN CERTIFICATE")[0])
    return str(key)


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    """A file that cannot be used is one line that names it, before anything is dialed."""
    authority = Authority(tmp_path)
    good, garbage, missing = authority.issue("good"), str(tmp_path / "garbage"), str(tmp_path / "missing")
    Path(garbage).write_text("no certificate")
    key = _key_of(authority.issue("other"))
    unusable = f"cannot use the certificate {garbage} with the key {garbage}: "
    cases: list[tuple[dict[str, Any], str]] = [
        ({"tls_ca": missing}, f"cannot read {missing}: No such file or directory"),
        ({"tls_ca": garbage}, f"no certificates in {garbage}: no certificate or crl found"),
        ({"tls_cert": missing}, f"cannot read {missing}: No such file or directory"),
        ({"tls_cert": good, "tls_key": str(tmp_path)}, f"cannot read {tmp_path}: Is a directory"),
        (
            {"tls_cert": good, "tls_key": key},
            f"cannot use the certificate {good} with the key {key}: key values mismatch",
        ),
        ({"tls_cert": garbage}, f"{unusable}the file has no key; give the key file with --tls-key"),
        *(
            ({"tls_server_name": name}, f"no certificate can have the name {name!r}")
            for name in (".example", ".", "long." * 60)
        ),
    ]
    for changes, message in cases:
        with pytest.raises(Failure) as raised:
            Dialer(replace(OPTIONS, **changes))
        assert (raised.value.code, raised.value.message) == (USAGE, message)


def test_key_with_a_password(tmp_path: Path) -> None:
    """A key that needs a password is refused, and nobody is asked for it."""
    certificate = Authority(tmp_path).issue("locked")
    key = Path(_key_of(certificate))
    loaded = serialization.load_pem_private_key(key.read_bytes(), None)
    locked = serialization.BestAvailableEncryption(b"secret")
    key.write_bytes(loaded.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked))
    with pytest.raises(Failure, match=r"^cannot use the certificate .* the key is encrypted; decrypt it first$"):
        Dialer(replace(OPTIONS, tls_cert=certificate, tls_key=str(key)))


def test_nothing_is_read_without_tls() -> None:
    """Without TLS no file is read."""
    Dialer(replace(OPTIONS, tls=False, tls_ca="/no/such/file"))
