"""The options that the client's commands have in common."""

from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stentor_chassis.options.command_line import group
from stentor_client.options import Rate, Sizes, dial_options, dialing, exchange_options
from stentor_client.wire.dialer import DialOptions
from unit.ending import RunCommand


@click.command()
@dial_options
@exchange_options
def dialed(**options: Any) -> int:
    """Say what was taken, and what is left."""
    print(repr(dialing(options)), options)
    return 0


CLI = group("For a test.", "0")
CLI.add_command(dialed)


def _taken(run_command: RunCommand, *arguments: str) -> DialOptions:
    ended = run_command(CLI, "dialed", *arguments)
    assert (ended.code, ended.err) == (0, "")
    taken, rest, _ = ended.out.partition(" {'")
    assert sorted(eval(rest[1:] + _, {})) == ["expect", "timeout_seconds"]
    found = eval(taken, {"DialOptions": DialOptions})
    assert isinstance(found, DialOptions)
    return found


def test_nothing_said(run_command: RunCommand) -> None:
    """Without options it is plain TCP to this machine."""
    assert DialOptions(target="127.0.0.1:8080", connect_timeout_seconds=5.0) == _taken(run_command)


def test_everything_said(run_command: RunCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every option of the way arrives, by flag or variable."""
    monkeypatch.setenv("STENTOR_TLS", "true")
    monkeypatch.setenv("STENTOR_TLS_KEY", "key.pem")
    monkeypatch.setenv("STENTOR_PROXY_PROTOCOL", "v1")
    flags = ("--target", "unix:/a", "--connect-timeout", "250ms", "--tls-ca", "ca.pem", "--tls-cert", "cert.pem")
    expected = DialOptions(
        target="unix:/a",
        connect_timeout_seconds=0.25,
        tls=True,
        tls_ca="ca.pem",
        tls_cert="cert.pem",
        tls_key="key.pem",
        tls_server_name="name",
        proxy_protocol="v1",
    )
    assert expected == _taken(run_command, *flags, "--tls-server-name", "name")


@pytest.mark.parametrize("flag", ["--tls-ca", "--tls-cert", "--tls-key", "--tls-server-name"])
def test_what_needs_tls(run_command: RunCommand, flag: str) -> None:
    """What only TLS needs is refused without it, in one line that says so."""
    ended = run_command(CLI, "dialed", flag, "x")
    assert ended.code == 2
    assert flag in ended.line
    assert ended.line.endswith("it needs --tls")


def test_key_without_certificate(run_command: RunCommand) -> None:
    """A key without its certificate is refused."""
    ended = run_command(CLI, "dialed", "--tls", "--tls-key", "key.pem")
    assert ended.code == 2
    assert "--tls-key" in ended.line
    assert ended.line.endswith("it needs --tls-cert")


@given(st.lists(st.integers(1, 64 << 20), min_size=1))
def test_sizes(sizes: list[int]) -> None:
    """Sizes stand between commas, with or without blanks; what has been parsed stays as it is."""
    for comma in (",", ", "):
        parsed = Sizes().convert(comma.join(map(str, sizes)), None, None)
        assert sizes == parsed == Sizes().convert(parsed, None, None)


def test_sizes_with_units() -> None:
    """Each size has a unit of its own."""
    assert Sizes().convert("64,1KiB,2MiB", None, None) == [64, 1024, 2 << 20]


@pytest.mark.parametrize("wrong", ["", ",", "64,", "0", "64,0", "65MiB", "64;1", "-1"])
def test_no_sizes(wrong: str) -> None:
    """A size that is none, or that no message can have, is refused."""
    with pytest.raises(click.BadParameter):
        Sizes().convert(wrong, None, None)


@given(st.floats(0.001, 1_000_000))
def test_rate(rate: float) -> None:
    """A rate is a number per second."""
    assert rate == Rate().convert(str(rate), None, None)


@pytest.mark.parametrize("wrong", ["", "0", "1e-9", "-1", "1000001", "nan", "inf", "fast", "10/s"])
def test_no_rate(wrong: str) -> None:
    """A rate that is none, or that no schedule keeps, is refused."""
    with pytest.raises(click.BadParameter, match="is not a rate per second"):
        Rate().convert(wrong, None, None)
