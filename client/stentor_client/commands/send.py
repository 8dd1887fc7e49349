"""`send`: a filter, and a conversation."""

import os
import signal
import sys
from typing import Any

import click

from stentor_chassis.failure import INTERRUPTED, OK
from stentor_client.options import dial_options, exchange_options, taken_dial_options


@click.command()
@click.argument("text", nargs=-1)
@dial_options
@exchange_options
def send(text: tuple[str, ...], **options: Any) -> int:
    """Send TEXT, or standard input, write the reply to standard output as it comes, and verify it.

    TEXT is sent as one line. Standard input is sent as it is, whatever it holds and however long it is. On a terminal,
    and without TEXT, each line you type is sent and its reply shown.

    Example: head -c 1G /dev/urandom | stentor-client send | sha256sum
    """
    from stentor_client.send import Sender

    typed = not text and sys.stdin is not None and sys.stdin.isatty()
    if not typed:
        # At once, also while standard output is blocked: nothing is held back that could be lost.
        signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    sender = Sender(taken_dial_options(options), **options)
    if text:
        sender.stream(" ".join(text).encode(errors="surrogateescape") + b"\n")
    elif typed:
        sender.converse()
    else:
        sender.stream()
    return OK
