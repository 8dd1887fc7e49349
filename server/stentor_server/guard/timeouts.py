"""Time-outs of connections."""

from stentor_server.metrics import CloseReason
from stentor_server.options import ServerOptions
from stentor_server.path.connection import Connection

HANDSHAKE_SECONDS = 10.0  # for a PROXY header, and for a TLS handshake
LINGER_SECONDS = 0.25  # how long a peer has to send its FIN after the server's
_SHORTEST_SWEEP_SECONDS = 0.02
_LONGEST_SWEEP_SECONDS = 1.0
_SWEEPS = 8  # per shortest time-out, which is therefore accurate to an eighth


class Timeouts:
    """Checks connections in sweeps, without a timer for each."""

    def __init__(self, options: ServerOptions) -> None:
        """Read the limits; 0 disables one."""
        self._idle = options.idle_timeout_seconds or float("inf")
        self._write = options.write_timeout_seconds or float("inf")
        self._half_close = options.half_close_timeout_seconds or float("inf")
        self._max_age = options.max_age_seconds or float("inf")
        shortest = min(self._idle, self._write, self._half_close, self._max_age, HANDSHAKE_SECONDS)
        self.sweep_seconds = max(_SHORTEST_SWEEP_SECONDS, min(shortest / _SWEEPS, _LONGEST_SWEEP_SECONDS))

    def enforce(self, connection: Connection, now: float) -> None:
        """End the connection if one of its time-outs has expired."""
        if connection.pending:
            connection.check_progress()
            if connection.peer_closed_at and now - connection.peer_closed_at > self._half_close:
                connection.abort(CloseReason.HALF_CLOSE_TIMEOUT)
                return
            if now - connection.active_at > self._write:
                connection.abort(CloseReason.WRITE_TIMEOUT)
                return
        if now - connection.active_at > self._idle:
            connection.abort(CloseReason.IDLE_TIMEOUT)
        elif connection.handshaking and now - connection.opened_at > HANDSHAKE_SECONDS:
            connection.abort(CloseReason.TLS_ERROR, "the handshake took too long")
        elif connection.closing_since:
            if now - connection.closing_since > LINGER_SECONDS and not connection.pending:
                connection.abort(CloseReason.DRAIN)
        elif now - connection.opened_at > self._max_age:
            connection.finish(CloseReason.MAX_AGE)
