"""What the command line says to every worker."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """Plain data, for it travels as JSON, and `/status` shows it; a time-out of 0 seconds is none."""

    transform: str = "upper"
    max_connections: int
    backlog: int = 0  # the control process has seen to it; here for those who look
    max_connections_per_address: int = 0  # 0: no limit
    allow: tuple[str, ...] = ()  # networks; empty: everybody
    idle_timeout_seconds: float = 0.0
    write_timeout_seconds: float = 0.0
    half_close_timeout_seconds: float = 0.0
    max_age_seconds: float = 0.0
    drain_timeout_seconds: float
    proxy_protocol: str = "off"
    proxy_from: tuple[str, ...] = ()
    tls_cert: str | None = None
    tls_key: str | None = None
    tls_client_ca: str | None = None
    fault: tuple[str, ...] = ()  # as `Injection` reads them
    fault_seed: int | None = None
