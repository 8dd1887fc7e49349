"""`health`: whether the last exchange of a running client was right."""

import click

from stentor_chassis.admin.caller import ask, caller_options
from stentor_chassis.failure import COULD_NOT_START, Failure

_TARGET_UP = b"stentor_client_target_up "


@click.command()
@caller_options(8082)
def health(admin_host: str, admin_port: int, timeout: float) -> int:
    """Check that the last exchange of a running probe was right; exit 0 if so.

    It makes no exchange itself, because only the server would count it.

    Example: stentor-client health --admin-port 8082
    """
    _, body = ask(admin_host, admin_port, "/metrics", timeout)
    value = next((line for line in body.splitlines() if line.startswith(_TARGET_UP)), b"").removeprefix(_TARGET_UP)
    if not value:
        where = f"{admin_host} port {admin_port}"
        raise Failure(COULD_NOT_START, f"{where} is not the admin endpoint of a stentor-client probe")
    if float(value) != 1:
        raise Failure(COULD_NOT_START, "the probe's last exchange failed, or it has made none yet: see its log")
    return 0
