"""When a connection has lasted, waited or rested too long."""

from stentor_server.metrics import CloseReason
from stentor_server.options import ServerOptions
from stentor_server.path.connection import Connection

HANDSHAKE_SECONDS = 10.0  # for a PROXY header, and for a TLS handshake
LINGER_SECONDS = 0.25  # how long a peer has to end its side after the server ended its own
_SHORTEST_SWEEP_SECONDS = 0.02
_LONGEST_SWEEP_SECONDS = 1.0
_SWEEPS = 8  # in the shortest time-out, which is so kept to an eighth


class Timeouts:
    """Judges connections; one look at each now and then, no timer for any."""

    def __init__(self, options: ServerOptions) -> None:
        """Take the limits; a time-out of 0 is none."""
        self._idle = options.idle_timeout_seconds or float("inf")
        self._write = options.write_timeout_seconds or float("inf")
        self._half_close = options.half_close_timeout_seconds or float("inf")
        self._max_age = options.max_age_seconds or float("inf")
        shortest = min(self._idle, self._write, self._half_close, self._max_age, HANDSHAKE_SECONDS)
        self.sweep_seconds = max(_SHORTEST_SWEEP_SECONDS, min(shortest / _SWEEPS, _LONGEST_SWEEP_SECONDS))

    def enforce(self, connection: Connection, now: float) -> None:
        """End the connection if one of its times has run out."""
        if connection.waiting:
            connection.look()
            if connection.ended_at and now - connection.ended_at > self._half_close:
                connection.abort(CloseReason.HALF_CLOSE_TIMEOUT)
                return
            if now - connection.active_at > self._write:
                connection.abort(CloseReason.WRITE_TIMEOUT)
                return
        if now - connection.active_at > self._idle:
            connection.abort(CloseReason.IDLE_TIMEOUT)
        elif connection.handshaking and now - connection.opened_at > HANDSHAKE_SECONDS:
            connection.abort(CloseReason.TLS_ERROR, "the handshake took too long")
        elif connection.leaving_since:
            if now - connection.leaving_since > LINGER_SECONDS and not connection.waiting:
                connection.abort(CloseReason.DRAIN)
        elif now - connection.opened_at > self._max_age:
            connection.leave(CloseReason.MAX_AGE)
