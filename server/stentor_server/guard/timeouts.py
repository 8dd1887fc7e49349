"""Time-outs of connections."""

from stentor_server.metrics import CloseReason
from stentor_server.options import ServerOptions
from stentor_server.path.connection import Connection

HANDSHAKE_SECONDS = 10.0  # for a PROXY header, and for a TLS handshake
LINGER_SECONDS = 0.25  # how long a peer has to send its FIN after the server's
_SHORTEST_SWEEP_SECONDS = 0.02
_LONGEST_SWEEP_SECONDS = 1.0
# Connections that began together must not all end, and then begin again, together. Multiples of the golden ratio spread
# descriptors in a row evenly, here over ±10 % of the maximum age.
_LEAST_AGE, _AGE_SPREAD, _GOLDEN_RATIO = 0.9, 0.2, (5**0.5 - 1) / 2
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
        """End the connection if one of its time-outs has expired, and nothing that waits in its socket changes that."""
        if connection.pending:
            connection.check_progress()
        if self._expired(connection, now) is None or not connection.catch_up():
            return
        reason = self._expired(connection, now)
        if reason is CloseReason.MAX_AGE:
            connection.finish(reason)
        elif reason is not None:
            connection.abort(reason, "the handshake took too long" if reason is CloseReason.TLS_ERROR else "")

    def _expired(self, connection: Connection, now: float) -> CloseReason | None:
        """Return the reason to end the connection; if there are several, the one that says most."""
        rest, age = now - connection.active_at, now - connection.opened_at
        pending, closing_since = connection.pending, connection.closing_since
        if pending and connection.peer_closed_at and now - connection.peer_closed_at > self._half_close:
            return CloseReason.HALF_CLOSE_TIMEOUT
        if pending and rest > self._write:
            return CloseReason.WRITE_TIMEOUT
        if rest > self._idle:
            return CloseReason.IDLE_TIMEOUT
        if connection.handshaking and age > HANDSHAKE_SECONDS:
            return CloseReason.TLS_ERROR
        if closing_since:
            return CloseReason.DRAIN if now - closing_since > LINGER_SECONDS and not pending else None
        too_old = age > self._max_age * (_LEAST_AGE + _AGE_SPREAD * (connection.fd * _GOLDEN_RATIO % 1))
        return CloseReason.MAX_AGE if too_old else None
