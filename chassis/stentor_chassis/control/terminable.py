"""Lets the right signals end a process from its first import on. Imported before anything that takes time.

The kernel keeps a signal without a handler from process 1, so a container told to stop while it starts would be waited
for, and killed: SIGTERM has a handler at once. SIGHUP, which replaces workers, would end a service that starts: it is
ignored until there are workers. A service handles both when it runs; any other command calls `restore_sighup`. Ctrl-C
would leave a traceback of what is being imported: until `restore_sigint` it ends the process at once.
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


def restore_sighup() -> None:
    """Let SIGHUP end the process again, as when its terminal is closed, unless it was started to ignore that."""
    signal.signal(signal.SIGHUP, _HANGUP)


def restore_sigint() -> None:
    """Let SIGINT raise `KeyboardInterrupt` again, which whoever runs a command catches."""
    signal.signal(signal.SIGINT, _INTERRUPT)
