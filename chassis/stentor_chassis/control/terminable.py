"""Signals during the start of a process. Imported before slow imports.

The kernel does not deliver signals without a handler to process 1, so SIGTERM gets a handler at once: a container can
be stopped while it starts. SIGHUP, which replaces workers, is ignored until there are workers; other commands
call `restore_sighup`. Ctrl-C exits at once until `restore_sigint`, instead of with a traceback of imports.
"""

import os
import signal

from stentor_chassis.failure import INTERRUPTED

if os.getpid() == 1:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(128 + signal.SIGTERM))
_HANGUP = signal.signal(signal.SIGHUP, signal.SIG_IGN)
_INTERRUPT = signal.getsignal(signal.SIGINT)
if _INTERRUPT is signal.default_int_handler:  # not if the parent process ignored it
    signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))


def restore_sighup() -> None:
    """Let SIGHUP end the process again, such as when its terminal closes, unless the parent process ignored it."""
    signal.signal(signal.SIGHUP, _HANGUP)


def restore_sigint() -> None:
    """Let SIGINT raise `KeyboardInterrupt` again."""
    signal.signal(signal.SIGINT, _INTERRUPT)
