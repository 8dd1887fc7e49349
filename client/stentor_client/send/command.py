"""`send`: a filter, and a conversation."""

import os
import signal
import sys
from typing import Any, TextIO

import click

from stentor_chassis.control.terminable import restore_sighup
from stentor_chassis.failure import INTERRUPTED, OK, Failure
from stentor_chassis.options.option import option
from stentor_client.converse.conversation import Conversation
from stentor_client.converse.history import PrivateHistory, history_path
from stentor_client.options import dial_options, dialing, exchange_options
from stentor_client.output.standard_streams import TerminalText, write_out
from stentor_client.send.sender import Sender


@click.command()
@click.argument("text", nargs=-1)
@dial_options
@exchange_options
@option("--raw", is_flag=True, help="Behave like nc: no newline after TEXT, no prompt and no escapes.")
def send(text: tuple[str, ...], *, raw: bool, timeout_seconds: float, expect: str, **dial: Any) -> int:
    """Send TEXT, or standard input, write the reply to standard output as it arrives, and verify it.

    On a terminal, control characters in the reply are escaped; elsewhere the reply is written byte for byte.

    TEXT is sent as one line. Standard input is sent unchanged, whatever its content and length.

    On a terminal, and without TEXT, each line you type is sent, and its reply is shown below it. Ctrl-D ends with the
    exit code of the worst reply. Ctrl-C discards the line; a second one ends with 130.

    Example: head -c 1G /dev/urandom | stentor-client send | sha256sum
    """
    restore_sighup()
    if not text and not raw and _is_terminal(sys.stdin) and _is_terminal(sys.stdout):
        return Conversation(dialing(dial), expect, timeout_seconds, PrivateHistory(history_path(os.environ))).run()
    # Exit at once, even while standard output is blocked: nothing is buffered that could be lost.
    signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    terminal = None if raw or not _is_terminal(sys.stdout) else TerminalText(sys.stdout.encoding)
    sender = Sender(dialing(dial), expect, timeout_seconds, write=terminal.write if terminal else write_out)
    try:
        sender.stream(" ".join(text).encode(errors="surrogateescape") + (b"" if raw else b"\n") if text else None)
    except Failure:
        if terminal:
            terminal.end_line()
        raise
    if terminal:
        terminal.write(b"", final=True)
    return OK


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()  # None if it was closed at the start
