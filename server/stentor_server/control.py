"""The server's control process: from options to listening sockets and workers."""

from dataclasses import asdict
from typing import Any

import click

from stentor_chassis.control.control import Control, ControlOptions, Service
from stentor_chassis.control.listeners import Listeners, UnixListener, bind_tcp
from stentor_chassis.counters.shared_counters import CONTROL, FIRST_WORKER
from stentor_chassis.kernel import check_calls
from stentor_chassis.logs.log import LogOptions
from stentor_chassis.options.option import admin_options, build, log_options, option, wrong_value
from stentor_chassis.options.processors import Workers
from stentor_server import NAME, __version__
from stentor_server.faults.fault import Faults
from stentor_server.guard.addresses import AddressCounts
from stentor_server.guard.admission import SPARE_DESCRIPTORS, raise_descriptor_limit, room
from stentor_server.metrics import LIMIT, RELOADS, SCHEMA, VIEW, settle
from stentor_server.options import ServerOptions, exchange_options, fault_options, limit_options
from stentor_server.path.tls import tls_context


@click.command()
@exchange_options
@option("--workers", type=Workers(), default="auto", help="Worker processes; auto: one per usable processor.")
@limit_options
@fault_options
@admin_options(8081)
@log_options
def serve(**values: Any) -> int:
    """Serve until SIGTERM. SIGHUP reloads the TLS files and replaces the workers one by one.

    Example: stentor-server serve --port 8080 --workers 2
    """
    check_calls()
    raise_descriptor_limit()
    hosts = values.pop("host").split(",")
    port, unix, unix_mode = values.pop("port"), values.pop("unix"), values.pop("unix_mode")
    workers = values["workers"]
    log = build(LogOptions, values, fd=1)
    control_options = build(ControlOptions, values, drain_seconds=values["drain_timeout_seconds"], log=log)
    values["shutdown_delay_seconds"] = control_options.shutdown_delay_seconds  # for `/status`
    server_options = _server_options(values, workers)
    tls_context(server_options)  # fails here instead of in each worker
    service = Service(
        name=NAME,
        version=__version__,
        schema=SCHEMA,
        worker_module="stentor_server.worker",
        view=VIEW,
        reloads=RELOADS,
        finalize=settle,
        warnings={"faults.enabled": {"fault": server_options.fault}} if server_options.fault else {},
    )
    inherited = []
    if server_options.max_connections_per_address:
        connections = min(room(), server_options.max_connections)
        inherited = [AddressCounts.create(FIRST_WORKER + 2 * workers, connections)]
    with Listeners(bind_tcp(hosts, port, workers, server_options.backlog)) as listeners:
        if unix:
            listeners.add(UnixListener(unix, server_options.backlog, unix_mode))
        listeners.add_side_doors(NAME, workers)
        control = Control(service, control_options, listeners, asdict(server_options), inherited)
        # In the control row, because the limit outlives every worker.
        control.counters.row(CONTROL)[SCHEMA.slot(LIMIT)] = server_options.max_connections
        return control.run()


def _server_options(values: dict[str, Any], workers: int) -> ServerOptions:
    """Check the options that depend on one another."""
    most = workers * room()
    if not 1 <= (values["max_connections"] or 1) <= most:
        limit = f"the file-descriptor limit (ulimit -n) minus {SPARE_DESCRIPTORS}, per worker"
        raise wrong_value("max_connections", f"the maximum is {max(0, most)}: {limit}")
    for dependent, needed in (
        ("tls_key", "tls_cert"),
        ("tls_client_ca", "tls_cert"),
        ("proxy_from", "proxy_protocol"),
        ("fault", "allow_faults"),
    ):
        if values[dependent] and values[needed] in {None, False, "off"}:
            raise wrong_value(dependent, f"requires --{needed.replace('_', '-')}")
    if values["proxy_protocol"] != "off" and not values["proxy_from"]:
        raise wrong_value("proxy_protocol", "requires --proxy-from: the addresses of the proxies")
    try:
        Faults(values["fault"])
    except ValueError as error:
        raise wrong_value("fault", str(error)) from error
    if values["fault"] and values["tls_cert"]:
        raise wrong_value("fault", "faults do not work with TLS: remove --tls-cert")
    del values["allow_faults"]
    values["max_connections"] = values["max_connections"] or most
    values["max_connections_per_address"] = values["max_connections_per_address"] or 0
    values["tls_key"] = values["tls_key"] or values["tls_cert"]
    return ServerOptions(**values)
