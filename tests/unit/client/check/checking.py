"""Checks inside the test, and what they check."""

from typing import Any

from lying import Behaviour, LyingServer
from stentor_client.check import battery
from stentor_client.check.check import Check, Result
from stentor_client.check.subject import Subject
from stentor_client.wire.dialer import DialOptions
from unit.client.wire.naming import refusing


def subject(target: str, **changes: Any) -> Subject:
    """Return a path to test, quick to lose patience, but for what is changed."""
    options: dict[str, Any] = {"expect": "upper", "timeout_seconds": 10.0, "largest": 1 << 20, **changes}
    tls = options.pop("tls", False)
    return Subject(DialOptions(target=target, connect_timeout_seconds=5.0, tls=tls), **options)


async def results(behaviour: Behaviour, *checks: Check, **changes: Any) -> list[Result]:
    """Return the results of checks against a server with this behaviour."""
    with LyingServer(behaviour) as server:
        return await battery.run(checks, subject(server.target, **changes), lambda _: None)


async def result(behaviour: Behaviour, check: Check, **changes: Any) -> Result:
    """Return the result of one check against a server with this behaviour."""
    (only,) = await results(behaviour, check, **changes)
    return only


def closed_port() -> str:
    """Return a target where nobody listens."""
    return "{}:{}".format(*refusing())
