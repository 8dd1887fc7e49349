"""What TLS needs."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stentor_chassis.failure import USAGE, Failure
from stentor_client.wire.dialer import Dialer, DialOptions

OPTIONS = DialOptions(target="host:1", connect_timeout_seconds=1.0, tls=True)


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    """A file or a name that cannot be used is one line that names it, before anything is dialed."""
    garbage, missing = str(tmp_path / "garbage"), str(tmp_path / "missing")
    Path(garbage).write_text("no certificate")
    unusable = f"cannot use the certificate {garbage} with the key {garbage}: "
    cases: list[tuple[dict[str, Any], str]] = [
        ({"tls_ca": missing}, f"cannot read {missing}: No such file or directory"),
        ({"tls_ca": garbage}, f"no certificates in {garbage}: no certificate or crl found"),
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


def test_nothing_is_read_without_tls() -> None:
    """Without TLS no file is read."""
    Dialer(replace(OPTIONS, tls=False, tls_ca="/no/such/file"))
