"""The options that the client's commands have in common."""

from typing import Any

import click
import pytest

from stentor_chassis.options.command_line import group
from stentor_client.options import Rate, Sizes, dial_options, dialing, exchange_options
from stentor_client.wire.dialer import DialOptions
from unit.ending import RunCommand

found: list[tuple[DialOptions, dict[str, Any]]] = []


@click.command()
@dial_options
@exchange_options
def dialed(**options: Any) -> int:
    """Note which options are for dialing, and which are left."""
    found[:] = [(dialing(options), options)]
    return 0


CLI = group("For a test.", "0")
CLI.add_command(dialed)


def test_defaults(run_command: RunCommand) -> None:
    """Without options it is plain TCP to this machine."""
    assert run_command(CLI, "dialed").code == 0
    dial = DialOptions(target="127.0.0.1:8080", connect_timeout_seconds=5.0)
    assert found == [(dial, {"expect": "upper", "timeout_seconds": 5.0})]


def test_all_options(run_command: RunCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every option for dialing arrives, by flag or variable."""
    monkeypatch.setenv("STENTOR_TLS", "true")
    monkeypatch.setenv("STENTOR_TLS_KEY", "key.pem")
    monkeypatch.setenv("STENTOR_PROXY_PROTOCOL", "v1")
    flags = ("--target", "unix:/a", "--connect-timeout", "250ms", "--tls-ca", "ca.pem", "--tls-cert", "cert.pem")
    assert run_command(CLI, "dialed", *flags, "--tls-server-name", "name").code == 0
    assert found[0][0] == DialOptions(
        target="unix:/a",
        connect_timeout_seconds=0.25,
        tls=True,
        tls_ca="ca.pem",
        tls_cert="cert.pem",
        tls_key="key.pem",
        tls_server_name="name",
        proxy_protocol="v1",
    )


@pytest.mark.parametrize(
    ("options", "missing"),
    [
        (["--tls-ca", "x"], "--tls"),
        (["--tls-cert", "x"], "--tls"),
        (["--tls-key", "x"], "--tls"),
        (["--tls-server-name", "x"], "--tls"),
        (["--tls-key", "x", "--tls"], "--tls-cert"),
    ],
)
def test_option_that_needs_another(run_command: RunCommand, options: list[str], missing: str) -> None:
    """An option that has no meaning without another is refused without it, in one line."""
    ended = run_command(CLI, "dialed", *options)
    assert ended.code == 2
    assert options[0] in ended.line
    assert ended.line.endswith(f"requires {missing}")


def test_sizes_and_rates() -> None:
    """Sizes stand between commas, with or without blanks, and a rate is per second; what is parsed stays as it is."""
    parsed = Sizes().convert("64, 1KiB,64MiB", None, None)
    assert parsed == [64, 1024, 64 << 20] == Sizes().convert(parsed, None, None)
    assert Rate().convert("0.001", None, None) == 0.001
    assert Rate().convert(1_000_000.0, None, None) == 1_000_000


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        *((Sizes(), wrong) for wrong in ("", "64,", "64,0", "65MiB", "64;1", "-1")),
        *((Rate(), wrong) for wrong in ("", "0", "1e-9", "-1", "1000001", "nan", "inf", "10/s")),
    ],
)
def test_wrong_value(kind: click.ParamType[Any], wrong: str) -> None:
    """Anything else, a size that no message can have, or a rate that no schedule keeps, is refused."""
    with pytest.raises(click.BadParameter):
        kind.convert(wrong, None, None)
