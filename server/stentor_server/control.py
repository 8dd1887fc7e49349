"""The server's control process: from options to listening sockets and workers."""

from dataclasses import asdict
from typing import Any

from stentor_chassis.control.control import Control, ControlOptions, Service
from stentor_chassis.control.listeners import Listeners, bind_tcp, bind_unix
from stentor_chassis.counters.board import CONTROL, FIRST_WORKER
from stentor_chassis.logs.log import LogOptions
from stentor_chassis.options.option import wrong_value
from stentor_server import health_checks
from stentor_server.faults.fault import Faults
from stentor_server.guard.addresses import AddressCounts
from stentor_server.guard.admission import SPARE_DESCRIPTORS, raise_descriptor_limit, room
from stentor_server.metrics import LIMIT, SCHEMA, VIEW, settle
from stentor_server.options import ServerOptions
from stentor_server.path.tls import tls_context


def serve(name: str, version: str, options: dict[str, Any]) -> int:
    """Serve by the command's options until told to stop; return the exit code."""
    raise_descriptor_limit()
    server_options = _server_options(options)
    tls_context(server_options)  # fails now, instead of in each worker
    service = Service(
        name=name,
        version=version,
        schema=SCHEMA,
        worker_module="stentor_server.worker",
        view=VIEW,
        settle=settle,
        hear=health_checks.count,
        warnings={"faults.enabled": {"fault": server_options.fault}} if server_options.fault else {},
    )
    control_options = ControlOptions(
        workers=options["workers"],
        drain_seconds=options["drain_timeout"],
        admin_host=options["admin_host"],
        admin_port=options["admin_port"],
        log=LogOptions(level=options["log_level"], format=options["log_format"], fd=1),
    )
    inherited = []
    if server_options.max_connections_per_address:
        most = min(room(), server_options.max_connections)
        inherited = [AddressCounts.create(FIRST_WORKER + 2 * options["workers"], most)]
    hosts = [host.strip() for host in options["host"].split(",")]
    per_worker = bind_tcp(hosts, options["port"], options["workers"], options["backlog"])
    shared = [bind_unix(options["unix"], options["backlog"])] if options["unix"] else []
    with Listeners(per_worker, shared) as listeners:
        control = Control(service, control_options, listeners, asdict(server_options), inherited)
        # It does not change while the server lives, whatever happens to workers.
        control.board.row(CONTROL)[SCHEMA.slot(LIMIT)] = server_options.max_connections
        return control.run()


def _server_options(options: dict[str, Any]) -> ServerOptions:
    """Check what depends on each other."""
    most = options["workers"] * room()
    if not 1 <= (options["max_connections"] or 1) <= most:
        raise wrong_value(
            "max_connections",
            f"there can be {max(0, most)} at the most: in each worker the limit of file descriptors (ulimit -n), less "
            f"{SPARE_DESCRIPTORS}",
        )
    for dependent, needed in (
        ("tls_key", "tls_cert"),
        ("tls_client_ca", "tls_cert"),
        ("proxy_from", "proxy_protocol"),
        ("fault", "allow_faults"),
    ):
        if options[dependent] and options[needed] in {None, False, "off"}:
            raise wrong_value(dependent, f"it needs --{needed.replace('_', '-')} as well")
    if options["proxy_protocol"] != "off" and not options["proxy_from"]:
        raise wrong_value("proxy_protocol", "it needs --proxy-from as well: the addresses of the proxies")
    try:
        Faults(options["fault"])
    except ValueError as error:
        raise wrong_value("fault", str(error)) from error
    if options["fault"] and options["tls_cert"]:
        raise wrong_value("fault", "faults are injected into plain connections only: leave --tls-cert out")
    return ServerOptions(
        transform=options["transform"],
        backlog=options["backlog"],
        max_connections=options["max_connections"] or most,
        max_connections_per_address=options["max_connections_per_address"] or 0,
        allow=options["allow"],
        idle_timeout_seconds=options["idle_timeout"],
        write_timeout_seconds=options["write_timeout"],
        half_close_timeout_seconds=options["half_close_timeout"],
        max_age_seconds=options["max_age"],
        drain_timeout_seconds=options["drain_timeout"],
        proxy_protocol=options["proxy_protocol"],
        proxy_from=options["proxy_from"],
        tls_cert=options["tls_cert"],
        tls_key=options["tls_key"] or options["tls_cert"],
        tls_client_ca=options["tls_client_ca"],
        fault=options["fault"],
        fault_seed=options["fault_seed"],
    )
