"""Lets the right signals end a process from its first import on. Imported before anything that takes time.

The kernel keeps a signal without a handler from process 1, so that a container told to stop while it starts would be
waited for, and killed: SIGTERM has one at once. SIGHUP, which replaces workers, is ignored until there are any, and
would else end a service that starts. A service takes both over when it runs; what is none calls `heed_hangup`. Ctrl-C
would leave a traceback of what is being imported: it ends the process at once, until `heed_interrupt` after that.
"""

import os
import signal

from stentor_chassis.failure import INTERRUPTED

if os.getpid() == 1:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(128 + signal.SIGTERM))
_HANGUP = signal.signal(signal.SIGHUP, signal.SIG_IGN)
_INTERRUPT = signal.getsignal(signal.SIGINT)
if _INTERRUPT is signal.default_int_handler:  # else it was started to ignore it
    signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))


def heed_hangup() -> None:
    """Let SIGHUP end the process again, as when its terminal is closed, unless it was started to ignore that."""
    signal.signal(signal.SIGHUP, _HANGUP)


def heed_interrupt() -> None:
    """Let SIGINT raise `KeyboardInterrupt` again, which whoever runs a command catches."""
    signal.signal(signal.SIGINT, _INTERRUPT)
