"""Whether the server itself answers."""

from stentor_chassis.logs.log import excerpt
from stentor_client.check.check import Check, Finding
from stentor_client.check.subject import Subject
from stentor_client.output import wording
from stentor_client.verify.outcomes import ExchangeError

SIZE_BYTES = 64
_PROXY_SENDS = (
    "a proxy that sends a PROXY header (HAProxy's send-proxy, nginx's proxy_protocol on) to a server that expects "
    "none: give the server --proxy-protocol, or let the proxy send none"
)
_WE_SEND = "--proxy-protocol sends a PROXY header to a server that expects none"
_HTTP = "a proxy in HTTP mode (HAProxy's mode http), or a web server: TCP has to be passed on as it is"
_TLS = "a server that requires TLS: use --tls"
_ECHO = "a loop or a plain echo; if the server is one (--transform echo), use --expect echo"
_UPPER = "a server that answers in upper case: leave out --expect echo"
# How replies begin that say what sent them: (start, what it is, what usually causes it).
_SIGNS = (
    (b"PROXY ", "a PROXY header, version 1", _PROXY_SENDS),
    (b"\r\n\r\n\0\r\nQUIT\n", "a PROXY header, version 2", _PROXY_SENDS),
    (b"HTTP/", "HTTP", _HTTP),
    (b"\x15\x03", "a TLS alert", _TLS),
    (b"SSH-", "an SSH server", "the wrong port, or a proxy that passes on to the wrong server"),
)


class Answer(Check):
    """Makes the simplest exchange."""

    name = "answer"
    proves = "The message is answered correctly: in upper case, only a program that reads it can do so."
    usual_cause = (
        "a proxy that has lost its server, a server that is full or does not allow this address, or one that requires "
        "TLS or a PROXY header"
    )
    wrong_bytes = "a middlebox or another service that answers"
    needs = ("connect",)

    async def run(self, subject: Subject) -> Finding:
        """Run the check."""
        async with subject.call() as call:
            message, reply = call.build(SIZE_BYTES)
            try:
                await call.exchange(reply, [message])
            except ExchangeError as error:
                if bytes(call.head) in {message, message.upper()}:
                    return Finding.bad(error, cause=_UPPER if subject.expect == "echo" else _ECHO)
                return _recognised(error, bytes(call.head), ours=bool(subject.dial.proxy_protocol))
        return Finding.good(f"{wording.size(SIZE_BYTES)} answered correctly")


def _recognised(error: ExchangeError, reply: bytes, *, ours: bool) -> Finding:
    """Say what answers, if the reply shows it; `ours` is whether this side sends a PROXY header."""
    for start, kind, cause in _SIGNS:
        if reply.startswith(start):
            line = excerpt(reply if start.startswith(b"\r") else reply.partition(b"\r\n")[0])
            words = f"{error.outcome}: the reply begins with {kind}: '{line}'"
            return Finding.bad(error, words, _WE_SEND if ours and cause is _PROXY_SENDS else cause)
    return Finding.bad(error)
